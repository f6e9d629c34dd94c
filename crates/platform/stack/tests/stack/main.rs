//! `stack` against real servers and real processes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and one talks to its parent"
)]

mod support;

mod databases;
mod issuer;
mod login;
mod mail;
mod ports;
mod program;
mod proxy;
mod replicas;
mod servers;
