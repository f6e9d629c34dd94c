//! What travels between the parts of an event-sourced system: a recorded event, its position in the log,
//! where it goes on the bus, and personal data in a form that can't be logged by accident.
//!
//! [`LogReader`] is the seam between the log and its readers. The crate does no I/O and knows nothing of what the events
//! mean: the log, the bus and every consumer agree on these shapes alone.

mod decode_error;
mod log;
mod mark;
mod partition;
mod payload;
mod personal;
mod position;
mod recorded;
mod run;
mod upcast;

pub use decode_error::DecodeError;
pub use log::{LogError, LogHead, LogPage, LogReader};
pub use mark::{BadFingerprint, Contradiction, Fingerprint, Mark};
pub use partition::{PARTITIONS, partition, subject};
pub use payload::EventPayload;
pub use personal::{Blank, Personal};
pub use position::Position;
pub use recorded::{Metadata, RecordedEvent};
pub use run::Run;
pub use upcast::{Facts, Merger, Upcasted, Upcaster};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
