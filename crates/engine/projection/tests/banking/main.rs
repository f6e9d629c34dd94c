//! Two projections of a bank against real PostgreSQL and NATS: balances per account, and totals over all accounts. The
//! crate knows neither, so what holds for them holds for any projection.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod balances;
mod bank;
mod events;
mod follow;
mod neighbours;
mod rebuild;
mod statements;
mod totals;
mod verify;
mod versions;
