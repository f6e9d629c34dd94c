//! The crate against a real Postgres, a database per test.

mod pages;
mod plans;
mod schema;
mod support;
