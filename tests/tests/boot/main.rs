//! How the programs begin and end: what they need, what they wait for, what they say when something is wrong, and
//! that they finish what they began.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails says so by panicking"
)]

mod help;
mod pooler;
mod program;
mod settings;
mod starting;
mod stopping;

pub(crate) use program::{Ended, Program, run};
