//! An event log on PostgreSQL whose positions are contiguous in commit order, so that every reader can prove that it
//! missed nothing.
//!
//! - [`Log`] reads: an aggregate's stream, everything after a position, the head, a command's stored outcome.
//! - [`Appender`] writes: one task sends whatever commands are waiting as one statement, `append_batch`, which commits
//!   their events and outcomes together. A command's idempotency key makes a retry after any failure safe.
//! - [`Tasks`] is what a process manager remembers: how far it has read, what it still has to do.
//! - [`Inbox`] remembers which messages from outside were dealt with.
//! - [`seal`] makes a change of what was written visible.
//! - [`Lease`] lets one of several instances lead.
//! - [`Loader`] loads aggregates for [`CommandHandler`]: as with writing, whatever loads are waiting go as one statement.
//! - [`CommandHandler`] runs cqrs-es aggregates on them: load, handle, append, retry on a conflict; snapshots if wanted.
//!   [`CommandHandler::together`] runs one command over several.
//! - A [`Claim`] limits how many holders a key has, often to one. It is taken and released with the events of a command.
//!
//! Knows nothing of what the events mean.

mod append;
mod check;
mod claims;
mod command_handler;
mod cqrs;
mod epoch;
mod error;
mod inbox;
mod lease;
mod listen;
mod loader;
mod log;
pub mod metrics;
mod page;
mod replay;
mod retries;
mod schema;
pub mod seal;
mod share;
mod snapshots;
mod stream;
mod tasks;
mod unit;
mod writer;

pub use append::{Append, Appended, IdempotencyKey, NewEvent};
pub use claims::{Claim, Claims, Release, TakenClaim};
pub use command_handler::{CommandHandler, CommandRequest, CommandResponse, Loaded};
pub use cqrs::StoreContext;
pub use epoch::Epoch;
pub use error::{AppendError, CommandError, Error, Stale};
pub use inbox::Inbox;
pub use lease::Lease;
pub use listen::listen;
pub use loader::{Loader, LoaderOptions};
pub use log::{Log, Outcome};
pub use schema::{check_schema, migrate};
pub use share::{Share, ShareRun};
pub use snapshots::SnapshotOptions;
pub use tasks::{Backlog, NewTask, Reached, Task, Tasks};
pub use unit::{Member, Unit};
pub use writer::{Appender, AppenderOptions};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
