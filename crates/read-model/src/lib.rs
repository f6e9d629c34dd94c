//! The tables that are read: their schema, migrations and statements.
//!
//! The projector writes them and `query-api` reads them; neither knows the other, and both know this crate. It knows
//! nothing of events or HTTP, so what it offers is rows, and pages of rows by key.

mod schema;

pub use schema::{SchemaError, check_schema, migrate};
