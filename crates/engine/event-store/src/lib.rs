//! An event log on PostgreSQL whose positions are contiguous in commit order, so that every reader can prove that it
//! missed nothing.
//!
//! - [`Appender`] writes: one task sends all waiting commands as one statement, `append_batch`, which commits their
//!   events and outcomes together. A command's idempotency key makes a retry after any failure safe.
//! - [`Log`] reads: a stream or the whole log, forward, backward and bounded; the head; a command's stored outcome.
//! - [`LogSubscription`] follows the log as it grows, without a broker.
//! - [`CommandHandler`] runs cqrs-es aggregates: load, handle, append, retry on a conflict; with snapshots if configured.
//!   [`CommandHandler::together`] runs one command over several aggregates.
//! - [`Loader`] loads aggregates for it: all waiting loads are sent as one statement.
//! - A [`Claim`] limits how many owners a key has, often to one. A command takes and releases claims with its events.
//! - [`Tasks`] stores the checkpoint and the open tasks of a process manager, [`Inbox`] the handled messages from outside.
//! - [`Importer`] records a history with its own times, before there is anything else to record.
//! - [`Staging`] keeps work that is too large for one command until it is done.
//! - [`Lease`] lets one of several instances lead.
//! - [`seal`] makes a change of recorded events visible.
//! - [`vault`] seals the personal data in events, and forgets it. Optional.
//!
//! The crate knows nothing of what the events mean.

mod any_version;
mod append;
mod backward;
mod check;
mod claims;
mod command_handler;
mod cqrs;
mod epoch;
mod error;
mod event;
mod frame;
mod import;
mod inbox;
mod lease;
mod listen;
mod loader;
mod log;
pub mod metrics;
mod page;
mod rehearsal;
mod replay;
mod retries;
mod schema;
pub mod seal;
mod share;
mod snapshots;
mod staging;
mod stream;
mod subscription;
mod tasks;
mod unit;
pub mod vault;
mod writer;

pub use append::{Append, Appended, EventData, IdempotencyKey, NewEvent, Past};
pub use claims::{Claim, Claims, Guard, Release, TakenClaim};
pub use command_handler::{CommandHandler, CommandRequest, CommandResponse};
pub use cqrs::StoreContext;
pub use epoch::Epoch;
pub use error::{AppendError, CommandError, Error, ImportError, VersionConflict};
pub use import::Importer;
pub use inbox::Inbox;
pub use lease::{Lease, Standing};
pub use listen::listen;
pub use loader::{Loader, LoaderOptions};
pub use log::{Log, Outcome};
pub use replay::Loaded;
pub use schema::{check_schema, migrate};
pub use share::{Share, ShareRun};
pub use snapshots::SnapshotOptions;
pub use staging::{Chunk, Staging};
pub use subscription::{LogSubscription, SubscriptionError};
pub use tasks::{Backlog, NewTask, Reached, Task, Tasks};
pub use unit::{Member, Unit};
pub use writer::{Appender, AppenderOptions};

// What the API above mentions, so that a user of the crate needs no version of its own.
pub use envelope::{
    Contradiction, DecodeError, EventPayload, Facts, Fingerprint, LogHead, LogPage, LogReader, Mark, Merger,
    Metadata, Position, RecordedEvent, Upcaster,
};
pub use tokio_util::sync::CancellationToken;
pub use {chrono, cqrs_es, deadpool_postgres, serde_json, uuid};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
