//! What travels between the parts of an event-sourced system: a recorded event, its position in the log,
//! where it goes on the bus, and personal data in a form that can't be logged by accident.
//!
//! [`LogReader`] is the one seam between who keeps the log and who carries it on. No I/O and nothing about licenses: the log, the bus and every consumer agree on these shapes alone.

mod log;
mod mark;
mod partition;
mod payload;
mod personal;
mod position;
mod recorded;
mod upcast;

pub use log::{LogError, LogHead, LogPage, LogReader};
pub use mark::{BadFingerprint, Contradiction, Fingerprint, Mark};
pub use partition::{PARTITIONS, partition, subject};
pub use payload::{DecodeError, EventPayload};
pub use personal::Personal;
pub use position::Position;
pub use recorded::{Metadata, RecordedEvent};
pub use upcast::{Facts, Merger, Run, Upcasted, Upcaster};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
