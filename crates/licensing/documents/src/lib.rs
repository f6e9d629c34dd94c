//! Documents of the shop: the signed QR code of a license, and PDFs of licenses and receipts.
//!
//! - [`qr`] makes and judges the text in a license's QR code. `schemas/qr` describes it for other programs.
//! - [`keys`] reads the keys that sign it, and chooses among them.
//! - [`license`] and [`receipt`] make PDF/UA-1 files in Norwegian (bokmål) and English. The same input gives the same bytes.
//!
//! Knows nothing of rows, events and HTTP: what a document says is given to it.

pub mod keys;
pub mod qr;

pub mod license;
pub mod receipt;

mod language;
mod sheet;
mod symbol;
mod typeface;

pub use language::Language;
pub use sheet::DocumentError;
