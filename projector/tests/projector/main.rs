//! The projector against real PostgreSQL and NATS: whatever happens on the way, its rows equal a replay of the log.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod batches;
mod command;
mod engine_tables;
mod faults;
mod new_epoch;
mod parked;
mod personal;
mod poison;
mod process;
mod rebuild;
mod replay;
mod reports;
mod restore;
mod shop;
mod status;
mod step_back;
mod verify;
mod world;
