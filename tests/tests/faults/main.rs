//! Processes die and data is deleted in the middle of purchases: every acknowledged purchase is there once, and complete.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod crowded;
mod freezes;
mod kills;
mod nats;
mod nats_refuses;
mod restore;

mod till;

mod sabotage;
