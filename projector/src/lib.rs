//! Turns the log into the tables that are read: the shop's projections, and a command line over them.
//!
//! * [`licensing`] says, table by table and without I/O, what each event does to a row; [`reports`], what it adds to a sum.
//! * [`serve`] boots the process, which follows the log for as long as it runs, once for each projection.
//! * [`status`], [`verify`], [`rebuild`] and [`parked`] are the other commands. What they do is in `projection`.

pub mod config;
mod serve;

mod commands;
mod parked;

pub mod licensing;
pub mod reports;

mod bounds;
mod build;
mod misfit;
mod states;

pub use build::BUILD;
pub use commands::{rebuild, status, verify};
pub use licensing::Licensing;
pub use misfit::Misfit;
pub use parked::parked;
pub use reports::Reports;
pub use serve::{migrate, serve};

#[cfg(test)]
mod samples;
