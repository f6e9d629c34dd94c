//! What was recorded in an older shape, as this build reads it: an event may have become another one, several, none, or
//! one together with its successor.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::{DecodeError, EventPayload};

/// How many upcasters may follow each other for one event. More are a circle.
const MOST_STEPS: u8 = 32;

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
    /// Gives what stands for it instead, in a newer version: nothing if it is dropped, several if it was split.
    pub upcast: fn(payload: &str) -> Upcasted<Vec<Facts<'static>>>,
}

/// What two events that follow each other in one aggregate are now.
///
/// Only who reads an aggregate's whole run sees two events at once. A projection gets them one by one, so each must
/// still be readable without the other; and neither may be in a version that this build writes, so that a run which
/// begins after a snapshot never begins between the two.
#[derive(Clone, Copy)]
pub struct Merger {
    /// Type and version of the earlier one.
    pub first: (&'static str, &'static str),
    /// Type and version of the later one.
    pub second: (&'static str, &'static str),
    /// Gives what stands for both, which may be the first of a further pair; `None` if these two don't belong together.
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

    fn is(&self, (event_type, event_version): (&str, &str)) -> bool {
        self.event_type == event_type && self.event_version == event_version
    }

    fn into_owned(self) -> Facts<'static> {
        Facts {
            event_type: Cow::Owned(self.event_type.into_owned()),
            event_version: Cow::Owned(self.event_version.into_owned()),
            payload: Cow::Owned(self.payload.into_owned()),
        }
    }

    fn malformed(&self, error: &serde_json::Error) -> DecodeError {
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

/// Hands over what a recorded event is to this build, on its own.
pub(crate) fn read<E: EventPayload>(facts: &Facts<'_>, take: &mut impl FnMut(E)) -> Result<(), DecodeError> {
    steps(facts, MOST_STEPS, take)
}

fn steps<E: EventPayload>(facts: &Facts<'_>, left: u8, take: &mut impl FnMut(E)) -> Result<(), DecodeError> {
    let upcaster = E::UPCASTERS
        .iter()
        .find(|upcaster| facts.is((upcaster.event_type, upcaster.event_version)));
    let Some(upcaster) = upcaster else {
        take(E::decode(
            &facts.event_type,
            &facts.event_version,
            &facts.payload,
        )?);
        return Ok(());
    };
    if left == 0 {
        return Err(DecodeError::unknown(&facts.event_type, &facts.event_version));
    }
    let newer = (upcaster.upcast)(&facts.payload).map_err(|error| facts.malformed(&error))?;
    newer.iter().try_for_each(|facts| steps(facts, left - 1, take))
}

/// Reads one aggregate's events in order, one after the other, so that those which became one are seen together.
#[derive(Debug)]
pub struct Run<E> {
    /// An event that may become one with the next.
    held: Option<Facts<'static>>,
    events: PhantomData<fn() -> E>,
}

impl<E> Default for Run<E> {
    fn default() -> Self {
        Self {
            held: None,
            events: PhantomData,
        }
    }
}

impl<E: EventPayload> Run<E> {
    /// Takes the next recorded event, and hands over what is now known to have happened.
    pub fn push(&mut self, facts: Facts<'_>, mut take: impl FnMut(E)) -> Result<(), DecodeError> {
        if let Some(first) = self.held.take() {
            let pair = E::MERGERS
                .iter()
                .filter(|merger| first.is(merger.first) && facts.is(merger.second));
            for merger in pair {
                let merged = (merger.merge)(&first.payload, &facts.payload);
                if let Some(merged) = merged.map_err(|error| facts.malformed(&error))? {
                    return self.hold_or_read(merged, &mut take);
                }
            }
            read(&first, &mut take)?;
        }
        self.hold_or_read(facts, &mut take)
    }

    /// Hands over what was still held, at the end of the run.
    pub fn finish(&mut self, mut take: impl FnMut(E)) -> Result<(), DecodeError> {
        match self.held.take() {
            Some(facts) => read(&facts, &mut take),
            None => Ok(()),
        }
    }

    fn hold_or_read(&mut self, facts: Facts<'_>, take: &mut impl FnMut(E)) -> Result<(), DecodeError> {
        if E::MERGERS.iter().any(|merger| facts.is(merger.first)) {
            self.held = Some(facts.into_owned());
            return Ok(());
        }
        read(&facts, take)
    }
}

#[cfg(test)]
mod tests;
