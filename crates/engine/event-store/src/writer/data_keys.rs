//! The data keys of a batch, as lists for its statement.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::pending::Pending;

/// One element per key.
#[derive(Default)]
pub(super) struct Keys<'a> {
    command: Vec<i32>,
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<Uuid>,
    id: Vec<Uuid>,
    person: Vec<Uuid>,
    master_key: Vec<&'a str>,
    wrapped: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    /// What is bound for a batch without keys.
    pub(super) const NO_BINDS: [&'static (dyn ToSql + Sync); 7] = [
        &None::<Vec<i32>>,
        &None::<Vec<String>>,
        &None::<Vec<Uuid>>,
        &None::<Vec<Uuid>>,
        &None::<Vec<Uuid>>,
        &None::<Vec<String>>,
        &None::<Vec<Vec<u8>>>,
    ];

    /// `None` if no command of the batch has personal data.
    pub(super) fn of(batch: &'a [Pending]) -> Option<Self> {
        if batch.iter().all(|pending| pending.keys.is_empty()) {
            return None;
        }
        let mut keys = Self::default();
        for (command, pending) in (1..).zip(batch) {
            for key in &pending.keys {
                keys.command.push(command);
                keys.aggregate_type.push(&key.aggregate_type);
                keys.aggregate_id.push(key.aggregate_id);
                keys.id.push(key.id);
                keys.person.push(key.person);
                keys.master_key.push(&key.master_key);
                keys.wrapped.push(&key.wrapped);
            }
        }
        Some(keys)
    }

    pub(super) fn binds(&self) -> [&(dyn ToSql + Sync); 7] {
        [
            &self.command,
            &self.aggregate_type,
            &self.aggregate_id,
            &self.id,
            &self.person,
            &self.master_key,
            &self.wrapped,
        ]
    }
}
