//! How an event type turns into the payload that the log keeps, and back.

use serde_json::value::RawValue;

use crate::upcast::{Facts, Merger, Upcaster, read};

/// An event that the log can keep: named, versioned, and JSON.
pub trait EventPayload: Sized {
    /// What became of versions that are no longer written, by type and version.
    const UPCASTERS: &'static [Upcaster] = &[];

    /// Which events became one with their successor in the aggregate.
    const MERGERS: &'static [Merger] = &[];

    /// What happened, for example `Deposited`: one token, no dots or spaces.
    fn event_type(&self) -> &str;

    /// The version of the payload's shape, as written by this build.
    fn event_version(&self) -> &str;

    /// The payload as JSON.
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error>;

    /// The event from JSON in the type and version that this build writes.
    fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Self, DecodeError>;

    /// What a recorded event is to this build on its own, for readers that follow many aggregates: most often one
    /// event; none if it was dropped, several if it was split. Who reads one aggregate's whole run uses [`crate::Run`].
    fn read(event_type: &str, event_version: &str, payload: &str) -> Result<Vec<Self>, DecodeError> {
        let mut events = Vec::with_capacity(1);
        read(
            &Facts::recorded(event_type, event_version, payload),
            &mut |event| events.push(event),
        )?;
        Ok(events)
    }
}

/// Why a payload could not be read. Says where, never what stood there: it may be personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// This build does not know the type or this version of it.
    #[error("unknown event {event_type} version {event_version}")]
    Unknown {
        /// The type found.
        event_type: String,
        /// The version found.
        event_version: String,
    },
    /// The payload is not of the shape that its type and version promise.
    #[error("malformed payload of {event_type} version {event_version} at line {line}, column {column}")]
    Malformed {
        /// The type found.
        event_type: String,
        /// The version found.
        event_version: String,
        /// Line of the payload where reading stopped, from 1.
        line: usize,
        /// Column of that line, from 1.
        column: usize,
    },
}

impl DecodeError {
    /// Where `error` stopped, without what it read there.
    pub fn malformed(event_type: &str, event_version: &str, error: &serde_json::Error) -> Self {
        Self::Malformed {
            event_type: event_type.to_owned(),
            event_version: event_version.to_owned(),
            line: error.line(),
            column: error.column(),
        }
    }

    /// This build does not know `event_type` in `event_version`.
    pub fn unknown(event_type: &str, event_version: &str) -> Self {
        Self::Unknown {
            event_type: event_type.to_owned(),
            event_version: event_version.to_owned(),
        }
    }
}
