//! The crate from outside: real sockets, a real issuer, real processes. One test binary, because linking is what
//! takes the time.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod support;

mod connections;
mod docs;
mod drain;

mod answers;
mod bodies;
mod extractors;
mod request_ids;

mod auth;

mod health;
mod logs;
mod metrics;
mod pool;
mod process;
