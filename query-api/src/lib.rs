//! The read side over HTTP: pages and single rows of the read model, for those who may see them.
//!
//! It holds a credential that can only select, knows nothing of events, and changes nothing. [`router`] shows every
//! operation. What an operation can be asked is declared with its resource in `read-model`, and carried out by `query`;
//! here stands who may see what.

pub mod config;
mod reading;
mod serve;

pub mod router;
mod state;

pub mod keys;

mod codes;
mod compression;
mod rendering;

mod activities;
mod batches;
mod clubs;
mod exports;
mod gate_lists;
mod letters;
mod license_pdf;
mod license_types;
mod licenses;
mod orders;
mod outline;
mod receipt_pdf;
mod receipts;
mod return_status;
mod sales;
pub mod status;
pub mod stream;
mod suspensions;
mod terms;
mod timeline;
mod users;
mod verification;

mod access;
mod accounts;

pub mod openapi;

pub mod metrics;

pub use accounts::AccountsInTheReadModel;
pub use reading::ReadingOptions;
pub use rendering::Renderer;
pub use serve::{EXPORTS_AT_ONCE, FOLLOWED, REPORTS_FOLLOWED, REPORTS_PATH, cache, look_at_schema, serve};
pub use state::{AppState, Parts};
