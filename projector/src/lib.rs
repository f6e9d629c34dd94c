//! Turns the log into the tables that are read.
//!
//! One projection, `licensing`, whose tables are in `read-model`. Its rows and its checkpoint move in one transaction,
//! so at every moment the rows are exactly what a replay of the log up to the checkpoint gives. Reading down:
//!
//! * [`serve`] boots the process; [`Follower`] goes along the log for as long as it runs.
//! * [`apply`] turns a run of events into one transaction, and sets aside what can't be applied.
//! * [`licensing`] says, table by table and without I/O, what each event does to a row.
//! * [`replay_into`] gives another database the same rows from position 1, to compare with; [`rebuild`] puts such rows in
//!   the place of the live ones.
//! * [`status`] and [`verify`] look at all of it from outside, and say whether it is well.
//! * [`parked`] shows what was set aside, and tries it again.

pub mod config;
mod serve;

mod follow;
mod mark;
mod watch;

pub mod apply;
pub mod licensing;
pub mod parked;
mod poison;

mod load;
mod rebuild;
mod replay;
mod shadow_schema;

mod status;
mod verify;

mod connections;
mod progress;
mod report;
mod runner;

pub mod metrics;

/// What the rows are made by: a hash of the source text of the projection and of what it builds on. Another build may be
/// able to apply what this one can't.
pub const BUILD: &str = env!("PROJECTION_BUILD");

pub use follow::{Follower, Parts};
pub use rebuild::{rebuild, rebuild_and_report};
pub use replay::{ReplayError, replay_into};
pub use serve::{migrate, serve};
pub use status::status;
pub use verify::verify;
