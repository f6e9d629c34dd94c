//! Recorded events with their personal data in clear, for readers that may see it.

use std::collections::HashMap;

use envelope::{Position, RecordedEvent};
use serde_json::value::RawValue;

use super::VaultError;
use super::cipher::Place;
use super::keys::KeyRing;
use super::open::{Sealed, how_sealed, names_keys, open};
use crate::error::Error;
use crate::log::Log;

/// Events as a reader sees them, and as the log holds them.
#[derive(Debug, Default)]
pub struct Opened {
    events: Vec<RecordedEvent>,
    /// Of the events that were opened, the payload as the log holds it, by its place in `events`.
    sealed: HashMap<usize, Box<RawValue>>,
    /// Why an event could not be opened, by its place in `events`.
    failed: HashMap<usize, VaultError>,
}

impl Opened {
    /// Events that are not opened.
    pub fn as_recorded(events: Vec<RecordedEvent>) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }

    /// The events, in clear.
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// The event at this place as the log holds it.
    pub fn recorded(&self, index: usize) -> Option<RecordedEvent> {
        let mut event = self.events.get(index)?.clone();
        if let Some(payload) = self.sealed.get(&index) {
            event.payload.clone_from(payload);
        }
        Some(event)
    }

    /// Why the event at this place has no data in clear: something other than this program wrote or changed it.
    pub fn failure(&self, index: usize) -> Option<&VaultError> {
        self.failed.get(&index)
    }

    /// The part of the events from one place to before another one.
    #[must_use]
    pub fn split(mut self, at: usize) -> (Self, Self) {
        fn parted<T>(all: HashMap<usize, T>, at: usize) -> (HashMap<usize, T>, HashMap<usize, T>) {
            let (first, rest): (HashMap<_, _>, HashMap<_, _>) =
                all.into_iter().partition(|(index, _)| *index < at);
            (
                first,
                rest.into_iter().map(|(index, one)| (index - at, one)).collect(),
            )
        }
        let later = self.events.split_off(at.min(self.events.len()));
        let (sealed, later_sealed) = parted(self.sealed, at);
        let (failed, later_failed) = parted(self.failed, at);
        let first = Self {
            events: self.events,
            sealed,
            failed,
        };
        let rest = Self {
            events: later,
            sealed: later_sealed,
            failed: later_failed,
        };
        (first, rest)
    }

    /// The last event as the log holds it.
    pub fn last_recorded(&self) -> Option<RecordedEvent> {
        self.recorded(self.events.len().checked_sub(1)?)
    }

    /// The end of these events.
    pub fn through(&self) -> Option<Position> {
        self.events.last().map(|event| event.position)
    }
}

impl Log {
    /// Opens the personal data of these events: one look for all keys. A value whose key is gone is read as erased.
    ///
    /// An error means that nothing is known about the data: the database did not answer, or the file of master keys lacks one.
    /// An event that was tampered with fails alone ([`Opened::failure`]).
    pub async fn open(&self, events: Vec<RecordedEvent>) -> Result<Opened, Error> {
        let mut opened = Opened::as_recorded(events);
        let (mut positions, mut aggregates, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for event in &opened.events {
            match how_sealed(event.payload.get()) {
                None => {}
                Some(Sealed::Together) => positions.push(event.position.to_sql()),
                Some(Sealed::EachValue) => {
                    names_keys(event.payload.get(), &mut ids);
                    aggregates.resize(ids.len(), event.aggregate_id);
                }
            }
        }
        if positions.is_empty() && ids.is_empty() {
            return Ok(opened);
        }
        let vault = self.vault.as_ref().ok_or(VaultError::NoMasterKeys)?;
        let mut keys = KeyRing::default();
        if !positions.is_empty() {
            self.add_keys(&mut keys, vault, &positions).await?;
        }
        if !ids.is_empty() {
            self.add_named_keys(&mut keys, vault, (&aggregates, &ids)).await?;
        }
        for (index, event) in opened.events.iter_mut().enumerate() {
            let place = Place {
                aggregate_type: &event.aggregate_type,
                aggregate_id: event.aggregate_id,
                sequence: event.sequence,
            };
            let payload = match open(&keys, event.position.get(), &place, event.payload.get()) {
                Ok(None) => continue,
                Ok(Some(payload)) => payload,
                Err(error) => {
                    opened.failed.insert(index, error);
                    continue;
                }
            };
            let payload = RawValue::from_string(payload)
                .map_err(|_| Error::Broken(format!("payload of position {} is not JSON", event.position)))?;
            opened
                .sealed
                .insert(index, std::mem::replace(&mut event.payload, payload));
        }
        Ok(opened)
    }
}

/// The facts of an aggregate's event, in clear; `None` if nothing in it is sealed. The ring has its keys by its sequence.
pub(crate) fn open_one(
    keys: &KeyRing,
    (aggregate_type, aggregate_id, sequence): (&str, uuid::Uuid, u64),
    payload: &str,
) -> Result<Option<String>, VaultError> {
    let place = Place {
        aggregate_type,
        aggregate_id,
        sequence,
    };
    open(keys, sequence, &place, payload)
}
