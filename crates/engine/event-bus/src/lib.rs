//! A contiguous event log over NATS JetStream, knowing nothing of what the events mean.
//!
//! JetStream is a fast copy that may vanish at any moment; the log in PostgreSQL holds the truth. Two halves keep that
//! promise:
//!
//! * [`Publisher`] makes **stream sequence equal log position**: each message is accepted only as the successor of
//!   the one before, so a second publisher can't double anything and a resumed one can't skip anything.
//! * [`CatchUpSubscription`] hands out the log in contiguous runs. It takes events from the stream while the stream proves
//!   complete, and from the log itself wherever it does not: a gap, a wiped stream, a server that is down.
//!
//! What both decide is in [`decide`], without I/O; [`Continuity`] is the rule they rest on. [`StreamConfig`] is the declaration in
//! `nats/stream.json`, compared with the live server.

mod catch_up;
mod connect;
pub mod decide;
mod message;
pub mod metrics;
mod previous;
mod publisher;
mod stream;
mod subscription;
mod tail;

pub use catch_up::{CatchUpCounts, CatchUpError, CatchUpOptions, CatchUpStatus, CatchUpSubscription};
pub use connect::{Access, ConnectError, Connection, Login, Password, TlsFiles, connect, connect_as};
pub use decide::{Continuity, Verdict};
pub use message::{Arrived, HEADERS, LOG_EPOCH, Untrusted, decode};
pub use previous::PreviousPositions;
pub use publisher::{PublishError, Publisher, PublisherOptions, ResumeError};
pub use stream::{BadDeclaration, DeclareError, Declared, StreamConfig};
pub use tail::{Tail, TailError};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
