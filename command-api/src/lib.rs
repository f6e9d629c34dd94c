//! The write side: takes commands over HTTP, writes their events to the log, carries the log to the bus, and brings
//! every order to licenses or a refund.
//!
//! - [`router`]: the route table, with one file per operation below it. Nothing here reads the read side.
//! - `operation`: what a command declares about itself; `command`: the one path that all commands take.
//! - `relay`: the log to JetStream, led by one instance at a time.
//! - `receipts`: numbers for what was collected and paid back.
//! - `batches`: many commands of one kind, received and done as a stream.
//! - `history`: what a log begins with that goes on from an older shop.
//! - `letters`: e-mails to customers.
//! - `process`: what happens without a request: issuing, capturing, expiring, refunding.

mod accounts;
mod answer;
mod background;
mod batch_command;
mod batches;
mod bulkheads;
mod catalogue;
mod club_names;
mod command;
mod config;
mod erasure;
mod history;
mod idempotency;
mod incoming;
mod leader;
mod letters;
pub mod metrics;
mod openapi;
mod operation;
mod payment_settings;
mod personal_data;
mod process;
mod receipts;
mod reconciliation;
mod relay;
mod router;
mod rule_seven;
mod rule_six;
mod sealing;
mod serve;
mod shop;
mod shop_settings;
mod state;
mod terms_in_use;
mod uncollected;
mod writing;

pub use config::Cli;
pub use history::{History, HistoryArgs};
pub use router::{openapi, router};
pub use serve::run;
pub use shop::ShopSettings;
pub use state::AppState;

#[cfg(test)]
mod wire;
