//! How an event in an older shape becomes what this build reads: another event, several, none, or one together with its
//! successor.

use std::borrow::Cow;
use std::fmt;

use crate::decode_error::DecodeError;

/// The facts of one event, in some version of their shape. `Debug` leaves the payload out: it may hold personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts<'a> {
    /// What happened.
    pub event_type: Cow<'a, str>,
    /// The version of the payload's shape.
    pub event_version: Cow<'a, str>,
    /// JSON.
    pub payload: Cow<'a, str>,
}

/// What an upcaster makes of a payload; an error where it is not of the shape that its type and version promise.
pub type Upcasted<T> = Result<T, serde_json::Error>;

/// What one event in an old version is now.
#[derive(Clone, Copy)]
pub struct Upcaster {
    /// The type that it is for.
    pub event_type: &'static str,
    /// The version that it is for. This build does not write it any more.
    pub event_version: &'static str,
    /// Returns its replacement in a newer version: nothing if it is dropped, several if it was split.
    pub upcast: fn(payload: &str) -> Upcasted<Vec<Facts<'static>>>,
}

/// What two events that follow each other in one aggregate are now.
///
/// Only a reader of an aggregate's whole run sees two events at once. A projection gets them one by one, so each must be
/// readable without the other. Neither may be in a version that this build writes, so that a run which begins after a
/// snapshot never begins between the two.
#[derive(Clone, Copy)]
pub struct Merger {
    /// Type and version of the earlier one.
    pub first: (&'static str, &'static str),
    /// Type and version of the later one.
    pub second: (&'static str, &'static str),
    /// Returns the replacement of both, which may be the first of a further pair; `None` if the two don't belong together.
    pub merge: fn(first: &str, second: &str) -> Upcasted<Option<Facts<'static>>>,
}

impl<'a> Facts<'a> {
    /// The facts as they were recorded.
    pub const fn recorded(event_type: &'a str, event_version: &'a str, payload: &'a str) -> Self {
        Self {
            event_type: Cow::Borrowed(event_type),
            event_version: Cow::Borrowed(event_version),
            payload: Cow::Borrowed(payload),
        }
    }

    pub(crate) fn is(&self, (event_type, event_version): (&str, &str)) -> bool {
        self.event_type == event_type && self.event_version == event_version
    }

    pub(crate) fn into_owned(self) -> Facts<'static> {
        Facts {
            event_type: Cow::Owned(self.event_type.into_owned()),
            event_version: Cow::Owned(self.event_version.into_owned()),
            payload: Cow::Owned(self.payload.into_owned()),
        }
    }

    pub(crate) fn malformed(&self, error: &serde_json::Error) -> DecodeError {
        DecodeError::malformed(&self.event_type, &self.event_version, error)
    }
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("event_type", &self.event_type)
            .field("event_version", &self.event_version)
            .finish_non_exhaustive()
    }
}
