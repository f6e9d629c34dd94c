//! Keeps tables that follow an event log: applied in order, rebuilt without downtime, verified against a replay.
//!
//! A [`Projection`] declares its tables and what each event does to a row; everything else is here. Rows and checkpoint
//! move in one transaction, so at every moment the rows are exactly what a replay of the log up to the checkpoint gives.
//! In reading order:
//!
//! * [`Follower`] follows the log for as long as the process runs; [`watch`] measures it.
//! * [`apply`] turns a run of events into one transaction. An event that can't be applied is parked: [`parked`] lists and
//!   retries those.
//! * [`replay_into`] gives another database the same rows from position 1, to compare [`digest`]s; [`rebuild`] replaces the
//!   live rows by such rows.
//! * [`status`] and [`verify`] examine log, stream and rows.
//!
//! Knows nothing of what the events mean.

mod projection;
mod schema;

mod follow;
mod watch;

mod apply;
pub mod parked;

pub mod checkpoint;
mod head;
mod log_marks;

mod digest;
mod rebuild;
mod replay;
mod shadow_schema;
mod workers;

mod connections;
mod progress;
mod report;
mod runner;
mod status;
mod verify;

pub mod metrics;

pub use apply::{ApplyError, apply};
pub use checkpoint::{Checkpoint, CheckpointState};
pub use connect::{Migrations, SchemaError};
pub use connections::Sources;
pub use digest::{Digest, digest};
pub use follow::{Follower, Parts};
pub use projection::{Commands, Inapplicable, Projection, ProjectionBatch};
pub use rebuild::{RebuildOptions, RebuildTask, rebuild};
pub use replay::{ReplayError, WINDOW, replay_into};
pub use report::Report;
pub use runner::Runner;
pub use schema::{async_commit_pool, migrate, pool};
pub use status::{Limits, status};
pub use verify::{VerifyOptions, verify};
pub use watch::{Watched, watch};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
