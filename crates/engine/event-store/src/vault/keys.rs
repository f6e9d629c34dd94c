//! Data keys: fresh ones of a command, and those that a reader fetched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use envelope::Position;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::VaultError;
use super::cipher::{Cipher, KEY_LEN};
use super::keeper::Vault;
use crate::error::Error;
use crate::log::Log;

/// A fresh data key, as it is written.
pub(crate) struct DataKey {
    /// The event among its command's events, from 0. The keys of an event follow each other in the order of their numbers.
    pub(crate) event: usize,
    pub(crate) person: Uuid,
    pub(crate) master_key: Arc<str>,
    pub(crate) wrapped: Vec<u8>,
}

/// A data key of a release that sealed each value by itself, as its row is read.
pub(crate) struct KeyRow {
    pub(crate) aggregate_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) person: Uuid,
    pub(crate) master_key: String,
    pub(crate) wrapped: Vec<u8>,
}

/// The data keys of some events.
#[derive(Default)]
pub(crate) struct KeyRing {
    /// By event, and number in the event.
    numbered: HashMap<(u64, usize), RingKey>,
    /// Those with ids.
    named: HashMap<Uuid, RingKey>,
}

pub(super) struct RingKey {
    pub(super) person: Uuid,
    pub(super) cipher: Cipher,
}

impl KeyRing {
    /// Adds an event's key. `at`: the event, by what the caller numbers events. An empty key was destroyed.
    pub(crate) fn add(
        &mut self,
        vault: &Vault,
        (at, number): (u64, usize),
        (person, master_key, wrapped): (Uuid, &str, &[u8]),
    ) -> Result<(), VaultError> {
        if !wrapped.is_empty() {
            let key = unwrap(vault, person, master_key, (&bound(person), wrapped))?;
            self.numbered.insert((at, number), key);
        }
        Ok(())
    }

    /// Adds a key that payloads name by its id.
    pub(crate) fn add_named(&mut self, vault: &Vault, row: &KeyRow) -> Result<(), VaultError> {
        let bound = bound_with_id(row);
        let key = unwrap(vault, row.person, &row.master_key, (&bound, &row.wrapped))?;
        self.named.insert(row.id, key);
        Ok(())
    }

    pub(super) fn numbered(&self, at: u64, number: usize) -> Option<&RingKey> {
        self.numbered.get(&(at, number))
    }

    pub(super) fn named(&self, id: Uuid) -> Option<&RingKey> {
        self.named.get(&id)
    }
}

fn unwrap(
    vault: &Vault,
    person: Uuid,
    master_key: &str,
    (bound, wrapped): (&[u8], &[u8]),
) -> Result<RingKey, VaultError> {
    let key: [u8; KEY_LEN] = vault.unwrap(master_key, bound, wrapped)?;
    let cipher = Cipher::new(&key).ok_or(VaultError::NotSealed)?;
    Ok(RingKey { person, cipher })
}

/// What a wrapped key is bound to, so that it can't become another person's and outlive an erasure.
pub(super) fn bound(person: Uuid) -> [u8; 16] {
    person.into_bytes()
}

pub(super) fn bound_with_id(row: &KeyRow) -> Vec<u8> {
    [row.aggregate_id, row.id, row.person]
        .map(Uuid::into_bytes)
        .concat()
}

/// The data keys of a batch of commands, as its row is read.
pub(super) struct BatchKeys {
    /// The end of the log before the batch.
    pub(super) after: i64,
    /// Of each key, its event's place in the batch.
    pub(super) events: Vec<i32>,
    pub(super) people: Vec<Uuid>,
    pub(super) master_keys: Vec<String>,
    pub(super) wrapped: Vec<Vec<u8>>,
}

pub(super) fn batch_keys(row: &Row) -> Result<BatchKeys, tokio_postgres::Error> {
    Ok(BatchKeys {
        after: row.try_get(0)?,
        events: row.try_get(1)?,
        people: row.try_get(2)?,
        master_keys: row.try_get(3)?,
        wrapped: row.try_get(4)?,
    })
}

pub(super) fn key_row(row: &Row) -> Result<KeyRow, tokio_postgres::Error> {
    Ok(KeyRow {
        aggregate_id: row.try_get(0)?,
        id: row.try_get(1)?,
        person: row.try_get(2)?,
        master_key: row.try_get(3)?,
        wrapped: row.try_get(4)?,
    })
}

/// An aggregate whose events hold data of a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
}

/// An event from before the vault, with data of a person in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearData {
    /// Its aggregate.
    pub held: Held,
    /// Whose data.
    pub person: Uuid,
    /// Its position.
    pub position: Position,
}

/// The aggregates whose data keys go when a person is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldKeys {
    /// Whose data.
    pub person: Uuid,
    /// In which aggregates. Their data of no named person goes with it.
    pub aggregates: Vec<Uuid>,
    /// Only keys of commands up to here.
    pub through: Position,
}

impl Log {
    /// The aggregates whose events hold sealed data of this person, at most `limit`.
    pub async fn held_of(&self, person: Uuid, limit: u32) -> Result<Vec<Held>, Error> {
        let rows = self
            .query(
                include_str!("../sql/list_held.sql"),
                &[&person, &i64::from(limit)],
            )
            .await?;
        let held = rows.iter().map(|row| {
            Ok(Held {
                aggregate_type: row.try_get(0)?,
                aggregate_id: row.try_get(1)?,
            })
        });
        held.collect()
    }

    /// Notes that events from before the vault hold data of a person in clear, so that [`Log::held_of`] names them. Done again,
    /// it changes nothing.
    pub async fn note_clear(&self, clear: &[ClearData]) -> Result<(), Error> {
        let types: Vec<&str> = clear.iter().map(|one| one.held.aggregate_type.as_str()).collect();
        let ids: Vec<Uuid> = clear.iter().map(|one| one.held.aggregate_id).collect();
        let people: Vec<Uuid> = clear.iter().map(|one| one.person).collect();
        let positions: Vec<i64> = clear.iter().map(|one| one.position.to_sql()).collect();
        let binds: [&(dyn ToSql + Sync); 4] = [&types, &ids, &people, &positions];
        self.query(include_str!("../sql/note_clear.sql"), &binds).await?;
        Ok(())
    }

    /// Deletes data keys for ever, and returns how many there were. Done again, it finds none.
    pub async fn destroy_keys(&self, keys: &HeldKeys) -> Result<u64, Error> {
        let through = keys.through.to_sql();
        let binds: [&(dyn ToSql + Sync); 3] = [&keys.person, &keys.aggregates, &through];
        let rows = self
            .query(include_str!("../sql/destroy_keys.sql"), &binds)
            .await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Adds the keys of the events at these positions that are still there.
    pub(super) async fn add_keys(
        &self,
        ring: &mut KeyRing,
        vault: &Vault,
        positions: &[i64],
    ) -> Result<(), Error> {
        let wanted: HashSet<i64> = positions.iter().copied().collect();
        let rows = self
            .query(include_str!("../sql/find_keys.sql"), &[&positions])
            .await?;
        for row in &rows {
            let batch = batch_keys(row)?;
            let (mut last, mut number) = (0, 0);
            for (((event, person), master_key), wrapped) in batch
                .events
                .into_iter()
                .zip(batch.people)
                .zip(&batch.master_keys)
                .zip(&batch.wrapped)
            {
                number = if event == last { number + 1 } else { 0 };
                last = event;
                let position = batch.after + i64::from(event);
                if wanted.contains(&position) {
                    let at = Position::from_sql(position).get();
                    ring.add(vault, (at, number), (person, master_key, wrapped))?;
                }
            }
        }
        Ok(())
    }

    /// Adds the keys with these ids that are still there.
    pub(super) async fn add_named_keys(
        &self,
        ring: &mut KeyRing,
        vault: &Vault,
        (aggregates, ids): (&[Uuid], &[Uuid]),
    ) -> Result<(), Error> {
        let rows = self
            .query(include_str!("../sql/find_named_keys.sql"), &[&aggregates, &ids])
            .await?;
        for row in &rows {
            ring.add_named(vault, &key_row(row)?)?;
        }
        Ok(())
    }
}
