//! The write side: takes commands over HTTP, writes what follows from them to the log, carries the log to the bus, and
//! sees every order through to licenses or a refund.
//!
//! - [`routes`](router): one file per operation; nothing here reads the read side.
//! - `relay`: the log to JetStream, led by one instance at a time.
//! - `process`: what happens without anybody asking: issuing, capturing, expiring, refunding.

mod answer;
mod bulkheads;
mod catalogue;
mod config;
mod idempotency;
mod leader;
pub mod metrics;
mod process;
mod relay;
mod router;
mod routes;
mod rule_seven;
mod sealing;
mod serve;
mod state;
mod uncollected;

pub use config::Cli;
pub use router::router;
pub use serve::run;
pub use state::{AppState, ShopSettings};
