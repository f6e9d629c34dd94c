//! How an event type turns into the payload that the log keeps, and back.

use serde_json::value::RawValue;

use crate::decode_error::DecodeError;
use crate::upcast::{Facts, Merger, Upcaster};

/// An event that the log can keep: named, versioned, and JSON.
pub trait EventPayload: Sized {
    /// Replacements of versions that are no longer written, by type and version.
    const UPCASTERS: &'static [Upcaster] = &[];

    /// Pairs of events that became one.
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
    /// event; none if it was dropped, several if it was split. A reader of one aggregate's whole run uses [`crate::Run`].
    fn read(event_type: &str, event_version: &str, payload: &str) -> Result<Vec<Self>, DecodeError> {
        let mut events = Vec::with_capacity(1);
        read(
            &Facts::recorded(event_type, event_version, payload),
            &mut |event| events.push(event),
        )?;
        Ok(events)
    }
}

/// How many upcasters may follow each other for one event. More of them form a circle.
const MOST_STEPS: u8 = 32;

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
