//! The bus against real nats-servers, with a log that is a plain vector.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod accounts;
mod catch_up;
mod catch_up_faults;
mod log;
mod nats;
mod proxy;
mod publisher;
mod storage;
mod stream;
mod tls;
