//! The log against a real PostgreSQL: one binary, a database per test.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod append;
mod claims;
mod claims_under_fire;
mod contiguous;
mod disk_full;
mod errors;
mod execute;
mod import;
mod inbox;
mod interop;
mod lease;
mod limits;
mod load;
mod lost_answers;
mod model;
mod old_schema;
mod outages;
mod page;
mod read;
mod recent;
mod rehearsal;
mod restore;
mod schema;
mod schema_sql;
mod sealed_before;
mod seals;
mod snapshots;
mod staging;
mod streams;
mod support;
mod tasks;
mod together;
mod upcast;
mod vault;
