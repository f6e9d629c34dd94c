//! A contiguous event log over NATS JetStream. The crate knows nothing of what the events mean.
//!
//! JetStream is a fast copy that can be lost at any moment; the log holds the truth. Two parts rest on that:
//!
//! * [`Publisher`] makes **stream sequence equal log position**: each message is accepted only as the successor of
//!   the one before, so a second publisher can't double anything and a resumed one can't skip anything.
//! * [`CatchUpSubscription`] hands out the log in contiguous runs. It takes events from the stream while the stream is
//!   provably complete, and reads the log otherwise: after a gap, with a wiped stream, while the server is down.
//!
//! [`decide`] holds the decisions of both, without I/O; [`Continuity`] is the rule behind them. [`StreamConfig`] is the
//! declaration of a stream, compared with the live one.

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
