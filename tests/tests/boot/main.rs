//! How the programs start and stop: their settings, what they wait for, their error messages, and that they finish work in
//! flight.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails says so by panicking"
)]

mod help;
mod pooler;
mod program;
mod rule;
mod settings;
mod starting;
mod stopping;

pub(crate) use program::{Ended, Program, run};
