//! Reading the events of one aggregate in a row, so that events which became one are seen together.

use std::marker::PhantomData;

use crate::decode_error::DecodeError;
use crate::payload::{EventPayload, read};
use crate::upcast::Facts;

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
