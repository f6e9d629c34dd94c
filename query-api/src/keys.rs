//! The keys that sign: those of the QR codes of licenses, and the root key of the lists that gates without a network read.
//!
//! They are in two files, which `license-keys` makes and `serve` reads again while it runs.

pub mod commands;
mod file;
mod reload;
mod ring;

pub use reload::{Signer, follow};
pub use ring::Ring;
