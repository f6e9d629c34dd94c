//! Why a payload could not be read.

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
