//! The data keys of a batch, as lists for its statement.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::pending::Pending;

/// One element per key.
#[derive(Default)]
pub(super) struct Keys<'a> {
    /// Its event in the batch, from 1.
    event: Vec<i32>,
    person: Vec<Uuid>,
    master_key: Vec<&'a str>,
    wrapped: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    /// What is bound for a batch without keys.
    pub(super) const NO_BINDS: [&'static (dyn ToSql + Sync); 4] = [
        &None::<Vec<i32>>,
        &None::<Vec<Uuid>>,
        &None::<Vec<String>>,
        &None::<Vec<Vec<u8>>>,
    ];

    /// `None` if no command of the batch has personal data.
    pub(super) fn of(batch: &'a [Pending]) -> Option<Self> {
        if batch.iter().all(|pending| pending.keys.is_empty()) {
            return None;
        }
        let (mut keys, mut before) = (Self::default(), 1);
        for pending in batch {
            for key in &pending.keys {
                keys.event
                    .push(i32::try_from(before + key.event).unwrap_or(i32::MAX));
                keys.person.push(key.person);
                keys.master_key.push(&key.master_key);
                keys.wrapped.push(&key.wrapped);
            }
            before += pending.append.events.len();
        }
        Some(keys)
    }

    pub(super) fn binds(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.event, &self.person, &self.master_key, &self.wrapped]
    }
}
