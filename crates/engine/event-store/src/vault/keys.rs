//! Data keys: fresh ones of a command, and those that a reader fetched.

use std::borrow::Cow;
use std::collections::HashMap;
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

/// A fresh data key, as its row is written.
pub(crate) struct DataKey {
    pub(crate) aggregate_type: Cow<'static, str>,
    pub(crate) aggregate_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) person: Uuid,
    pub(crate) master_key: Arc<str>,
    pub(crate) wrapped: Vec<u8>,
}

/// A data key, as its row is read.
pub(crate) struct KeyRow {
    pub(crate) aggregate_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) person: Uuid,
    pub(crate) master_key: String,
    pub(crate) wrapped: Vec<u8>,
}

/// The data keys of some events, by their ids.
#[derive(Default)]
pub(crate) struct KeyRing(HashMap<Uuid, RingKey>);

pub(super) struct RingKey {
    pub(super) person: Uuid,
    pub(super) cipher: Cipher,
}

impl KeyRing {
    pub(crate) fn unwrap(vault: &Vault, rows: Vec<KeyRow>) -> Result<Self, VaultError> {
        let mut keys = HashMap::with_capacity(rows.len());
        for row in rows {
            let bound = bound(row.aggregate_id, row.id, row.person);
            let key: [u8; KEY_LEN] = vault.unwrap(&row.master_key, &bound, &row.wrapped)?;
            let cipher = Cipher::new(&key).ok_or(VaultError::NotSealed)?;
            let person = row.person;
            keys.insert(row.id, RingKey { person, cipher });
        }
        Ok(Self(keys))
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&RingKey> {
        self.0.get(&id)
    }
}

/// What a wrapped key is bound to, so that its row can't become another one.
pub(super) fn bound(aggregate_id: Uuid, id: Uuid, person: Uuid) -> Vec<u8> {
    [aggregate_id, id, person].map(Uuid::into_bytes).concat()
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
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("../sql/destroy_keys.sql"))
            .await?;
        let through = keys.through.to_sql();
        Ok(client
            .execute(&statement, &[&keys.person, &keys.aggregates, &through])
            .await?)
    }

    /// The data keys of these events that are still there.
    pub(super) async fn keys_named(&self, aggregates: &[Uuid], ids: &[Uuid]) -> Result<Vec<KeyRow>, Error> {
        let rows = self
            .query(include_str!("../sql/find_keys.sql"), &[&aggregates, &ids])
            .await?;
        let rows = rows.iter().map(key_row).collect::<Result<_, _>>()?;
        Ok(rows)
    }
}
