//! The program on real servers: the same history from the same seed, and a shop that goes on from it.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod history;
mod log;
mod shop;
