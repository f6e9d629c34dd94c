//! The read side over HTTP: pages and single rows of the read model, for those who may see them.
//!
//! It holds a credential that can only select, knows nothing of events, and changes nothing. One request is one
//! statement: [`router`] shows every operation, each in a file of its own; `parameters` says what may be asked,
//! `cursor` where the next page starts, `projection` when the rows are as new as the caller needs.

pub mod config;
mod serve;

pub mod router;
mod state;

mod get_license;
mod get_order;
mod list_clubs;
mod list_license_types;
mod list_licenses;
mod list_orders;

mod answer;
mod scope;

mod cursor;
mod dates;
mod parameters;
mod view;

mod failure;
mod projection;
mod schema_gate;

pub mod metrics;

pub use cursor::Cursors;
pub use projection::Projection;
pub use schema_gate::SchemaGate;
pub use serve::serve;
pub use state::AppState;
