//! Whatever dies, is deleted or wiped in the middle of purchases: every acknowledged one is there once, and whole.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

mod crowded;
mod freezes;
mod kills;
mod nats;
mod nats_refuses;
mod restore;

mod till;

mod sabotage;
