//! Requests to the loading tasks and their answers: rows, which the caller decodes.

use std::borrow::Cow;
use std::sync::Arc;

use envelope::{Facts, Position};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::seal::hex;
use crate::vault::{KeyRing, KeyRow, Vault, VaultError, is_sealed, open_one};

/// A request for events of one aggregate.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: Uuid,
    pub(crate) after: u64,
    /// The schema fingerprint of a usable snapshot, if the load may begin with one.
    pub(crate) shape: Option<Arc<str>>,
}

/// Between the elements of the lists in a row. In JSON it can only stand escaped.
const SEPARATOR: char = '\u{1f}';

/// The answer: the next events of one aggregate, not decoded.
pub(crate) struct Page {
    ask: Ask,
    row: Row,
    max_events: u32,
}

/// The state of an aggregate at a sequence.
pub(crate) struct Snapshot<'a> {
    pub(crate) sequence: u64,
    pub(crate) correlation_id: Option<&'a str>,
    pub(crate) state: &'a str,
}

/// One event of a page.
pub(crate) struct Stored<'a> {
    pub(crate) sequence: u64,
    pub(crate) facts: Facts<'a>,
    /// Only of the aggregate's first event.
    pub(crate) correlation_id: Option<&'a str>,
}

impl Page {
    pub(crate) const fn new(ask: Ask, row: Row, max_events: u32) -> Self {
        Self { ask, row, max_events }
    }

    /// The log's epoch.
    pub(crate) fn epoch(&self) -> Result<Uuid, Error> {
        Ok(self.row.try_get(1)?)
    }

    /// The end of the log.
    pub(crate) fn head(&self) -> Result<Position, Error> {
        Ok(Position::from_sql(self.row.try_get(10)?))
    }

    /// The snapshot that the events follow.
    pub(crate) fn snapshot(&self) -> Result<Option<Snapshot<'_>>, Error> {
        let Some(sequence) = self.row.try_get::<_, Option<i64>>(2)? else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            sequence: Position::from_sql(sequence).get(),
            correlation_id: self.row.try_get(3)?,
            state: self.row.try_get(4)?,
        }))
    }

    /// The data keys of the events.
    fn keys(&self, vault: Option<&Vault>) -> Result<KeyRing, Error> {
        let mut ring = KeyRing::default();
        let Some(vault) = vault else { return Ok(ring) };
        let unreadable = || Error::Unreadable("a data key".into());
        let elements = |column| {
            let list = self.row.try_get::<_, Option<&str>>(column)?;
            Ok::<_, Error>(list.into_iter().flat_map(|list| list.split(SEPARATOR)))
        };
        for key in elements(11)? {
            let row = key_row(self.ask.aggregate_id, key).ok_or_else(unreadable)?;
            ring.add_named(vault, &row)?;
        }
        let (mut last, mut number) = (0, 0);
        for key in elements(12)? {
            let (sequence, person, master_key, wrapped) = numbered(key).ok_or_else(unreadable)?;
            number = if sequence == last { number + 1 } else { 0 };
            last = sequence;
            ring.add(vault, (sequence, number), (person, master_key, &wrapped))?;
        }
        Ok(ring)
    }

    /// The events, in order and without a gap, and whether there may be more after them.
    /// Their personal data is in clear.
    pub(crate) fn events(&self, vault: Option<&Vault>) -> Result<(Vec<Stored<'_>>, bool), Error> {
        let elements = |column| {
            let list = self.row.try_get::<_, Option<&str>>(column)?;
            Ok::<_, Error>(list.into_iter().flat_map(|list| list.split(SEPARATOR)))
        };
        let (sequences, mut types, mut versions, mut payloads) =
            (elements(5)?, elements(6)?, elements(7)?, elements(8)?);
        let (kind, id) = (self.ask.aggregate_type, self.ask.aggregate_id);
        let correlation_id: Option<&str> = self.row.try_get(9)?;
        let mut last = self
            .snapshot()?
            .map_or(self.ask.after, |snapshot| snapshot.sequence);
        let mut events = Vec::new();
        let keys = self.keys(vault)?;
        for sequence in sequences {
            last += 1;
            if sequence.parse() != Ok(last) {
                return Err(Error::Broken(format!(
                    "{kind} {id} has sequence {sequence} where {last} is due"
                )));
            }
            let (Some(event_type), Some(version), Some(payload)) =
                (types.next(), versions.next(), payloads.next())
            else {
                return Err(unlike(kind, id));
            };
            let mut facts = Facts::recorded(event_type, version, payload);
            if vault.is_none() && is_sealed(payload) {
                return Err(Error::Vault(VaultError::NoMasterKeys));
            }
            if let Some(opened) = open_one(&keys, (kind, id, last), payload)? {
                facts.payload = Cow::Owned(opened);
            }
            events.push(Stored {
                sequence: last,
                facts,
                correlation_id: correlation_id.filter(|_| last == 1),
            });
        }
        if types.next().or(versions.next()).or(payloads.next()).is_some() {
            return Err(unlike(kind, id));
        }
        let full = events.len() >= usize::try_from(self.max_events).unwrap_or(usize::MAX);
        Ok((events, full))
    }
}

fn key_row(aggregate_id: Uuid, key: &str) -> Option<KeyRow> {
    let mut parts = key.split(' ');
    let row = KeyRow {
        aggregate_id,
        id: parts.next()?.parse().ok()?,
        person: parts.next()?.parse().ok()?,
        master_key: parts.next()?.to_owned(),
        wrapped: hex::decode(parts.next()?)?,
    };
    parts.next().is_none().then_some(row)
}

/// A key's event, by its sequence, and what its row has.
fn numbered(key: &str) -> Option<(u64, Uuid, &str, Vec<u8>)> {
    let mut parts = key.split(' ');
    let sequence = parts.next()?.parse().ok()?;
    let person = parts.next()?.parse().ok()?;
    let key = (sequence, person, parts.next()?, hex::decode(parts.next()?)?);
    parts.next().is_none().then_some(key)
}

/// Only if something other than the writer wrote to the log.
fn unlike(kind: &str, id: Uuid) -> Error {
    Error::Broken(format!(
        "{kind} {id} has an event whose type, version or payload holds a control character"
    ))
}
