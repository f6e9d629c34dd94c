//! Reading the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connect::Database;
use deadpool_postgres::{Manager, Object, Pool, Runtime};
use envelope::{LogError, LogHead, LogPage, LogReader, Position, RecordedEvent};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::append::IdempotencyKey;
use crate::error::Error;
use crate::vault::Vault;

/// How long a read waits for a connection of [`Log::connect`]'s pool, and for a new one.
const POOL_WAIT: Duration = Duration::from_secs(5);

/// The log, for reading.
#[derive(Clone)]
pub struct Log {
    pub(crate) pool: Pool,
    pub(crate) vault: Option<Arc<Vault>>,
}

/// A command's stored outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Hash of the request, salted by the vault if there is one; empty for a process manager's key of a release that kept none.
    pub request_hash: Vec<u8>,
    /// The answer, a JSON object without its position.
    pub response: String,
    /// Position of the answer.
    pub position: Position,
}

impl Outcome {
    /// Whether it is the outcome of this very request.
    pub(crate) fn is_of(&self, key: &IdempotencyKey, vault: Option<&Vault>) -> bool {
        // A build without a vault stored the plain hash.
        let plain = self.request_hash.is_empty() || self.request_hash == key.request_hash;
        plain || vault.is_some_and(|vault| self.request_hash == vault.salted(&key.request_hash))
    }
}

impl Log {
    /// The log in the database of `pool`.
    pub const fn new(pool: Pool) -> Self {
        Self { pool, vault: None }
    }

    /// Opens personal data with this vault.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<Vault>) -> Self {
        self.vault = Some(vault);
        self
    }

    /// The log at `url`, read by at most `connections` connections, which are opened when they are needed. Only a URL that
    /// can't be used is an error.
    pub fn connect(url: &str, connections: usize) -> Result<Self, Error> {
        let database = Database::parse(url)?.named("event-store read");
        let manager = Manager::new(database.config().clone(), database.protection().clone());
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(POOL_WAIT))
            .build()
            .map_err(|error| Error::Url(error.to_string()))?;
        Ok(Self::new(pool))
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<LogHead, Error> {
        let rows = self.query(include_str!("sql/read_head.sql"), &[]).await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::Broken("log_head has no row".into()))?;
        Ok(LogHead {
            position: Position::from_sql(row.try_get(0)?),
            epoch: row.try_get(1)?,
        })
    }

    /// The events of [`Log::read_after`] and the end of the log, read in one statement.
    pub async fn read_page(&self, after: Position, limit: u32) -> Result<LogPage, Error> {
        let binds: [&(dyn ToSql + Sync); 2] = [&after.to_sql(), &i64::from(limit)];
        let rows = self.query(include_str!("sql/read_page.sql"), &binds).await?;
        let first = rows
            .first()
            .ok_or_else(|| Error::Broken("log_head has no row".into()))?;
        let head = LogHead {
            position: Position::from_sql(first.try_get(9)?),
            epoch: first.try_get(10)?,
        };
        let has_event = first.try_get::<_, Option<i64>>(0)?.is_some();
        let rows = if has_event { rows.as_slice() } else { &[] };
        let events = rows.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let reached = events.last().map_or(after, |event| event.position);
        if reached.since(after) != events.len() as u64 {
            let found = events.len();
            return Err(Error::Broken(format!(
                "{found} events after {after} up to {reached}: a position is missing"
            )));
        }
        Ok(LogPage { head, events })
    }

    /// At most `limit` events after `after`, in order and without a gap. Empty at the end of the log.
    pub async fn read_after(&self, after: Position, limit: u32) -> Result<Vec<RecordedEvent>, Error> {
        let events = self
            .events(
                include_str!("sql/read_after.sql"),
                &[&after.to_sql(), &i64::from(limit)],
            )
            .await?;
        let mut due = after;
        for event in &events {
            due = due.next();
            if event.position != due {
                return Err(Error::Broken(format!(
                    "position {due} is missing before {}",
                    event.position
                )));
            }
        }
        Ok(events)
    }

    /// The version of a stream: the sequence of its last event, 0 if it has none.
    pub async fn version(&self, aggregate_type: &str, aggregate_id: Uuid) -> Result<u64, Error> {
        let rows = self
            .query(
                include_str!("sql/read_version.sql"),
                &[&aggregate_type, &aggregate_id],
            )
            .await?;
        let last: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
        Ok(last.map_or(0, |last| Position::from_sql(last).get()))
    }

    /// All events of a stream after `after_sequence`, in order. [`Log::events_of`] reads them page by page.
    pub async fn load(
        &self,
        aggregate_type: &str,
        aggregate_id: Uuid,
        after_sequence: u64,
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.load_up_to(aggregate_type, aggregate_id, after_sequence, i64::MAX)
            .await
    }

    /// At most `limit` events of a stream after `after_sequence`, in order and without a gap.
    pub async fn read_stream(
        &self,
        aggregate_type: &str,
        aggregate_id: Uuid,
        after_sequence: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.load_up_to(aggregate_type, aggregate_id, after_sequence, i64::from(limit))
            .await
    }

    async fn load_up_to(
        &self,
        aggregate_type: &str,
        aggregate_id: Uuid,
        after_sequence: u64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let after = Position::new(after_sequence).to_sql();
        let binds: [&(dyn ToSql + Sync); 4] = [&aggregate_type, &aggregate_id, &after, &limit];
        let events = self.events(include_str!("sql/load_stream.sql"), &binds).await?;
        for (due, event) in (after_sequence + 1..).zip(&events) {
            if event.sequence != due {
                return Err(Error::Broken(format!(
                    "{aggregate_type} {aggregate_id} has sequence {} where {due} is due",
                    event.sequence
                )));
            }
        }
        Ok(events)
    }

    /// Position of the command that took this claim, of the first one if it has several owners; `None` if it is free.
    pub async fn claimed_at(&self, scope: &str, key: &str) -> Result<Option<Position>, Error> {
        let rows = self
            .query(include_str!("sql/find_claim.sql"), &[&scope, &key])
            .await?;
        let position: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
        Ok(position.map(Position::from_sql))
    }

    /// Who holds these claims of a scope: each key with its owners, by slot. Keys without an owner are absent.
    pub async fn claim_owners(
        &self,
        scope: &str,
        keys: &[String],
    ) -> Result<HashMap<String, Vec<Uuid>>, Error> {
        let rows = self
            .query(include_str!("sql/find_claim_owners.sql"), &[&scope, &keys])
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// The stored outcome of the command with this key, if it was accepted.
    pub async fn outcome(&self, scope: &str, key: &str) -> Result<Option<Outcome>, Error> {
        let rows = self
            .query(include_str!("sql/find_outcome.sql"), &[&scope, &key])
            .await?;
        rows.first()
            .map(|row| {
                Ok(Outcome {
                    request_hash: row.try_get(0)?,
                    response: row.try_get(1)?,
                    position: Position::from_sql(row.try_get(2)?),
                })
            })
            .transpose()
    }

    /// The stored answers of those of these commands that were accepted, by their place in `keys`.
    pub async fn answers(&self, keys: &[IdempotencyKey]) -> Result<HashMap<usize, String>, Error> {
        let scopes: Vec<&str> = keys.iter().map(|key| key.scope.as_str()).collect();
        let texts: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
        let rows = self
            .query(include_str!("sql/find_outcomes.sql"), &[&scopes, &texts])
            .await?;
        let mut answers = HashMap::new();
        for row in &rows {
            let place: i64 = row.try_get(0)?;
            let outcome = Outcome {
                request_hash: row.try_get(1)?,
                response: row.try_get(2)?,
                position: Position::from_sql(row.try_get(3)?),
            };
            let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
            // A key of another request is no answer: the command is given, and refused.
            if keys
                .get(place)
                .is_some_and(|key| outcome.is_of(key, self.vault.as_deref()))
            {
                answers.insert(place, outcome.response);
            }
        }
        Ok(answers)
    }

    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The events that a statement with the columns of `read_after.sql` gives.
    pub(crate) async fn events(
        &self,
        sql: &str,
        binds: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.query(sql, binds).await?.iter().map(recorded).collect()
    }

    pub(crate) async fn query(&self, sql: &str, binds: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let client: Object = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, binds).await?)
    }
}

impl LogReader for Log {
    async fn head(&self) -> Result<LogHead, LogError> {
        Ok(self.head().await?)
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.read_after(after, limit).await?)
    }

    async fn read_page(&self, after: Position, limit: u32) -> Result<LogPage, LogError> {
        Ok(self.read_page(after, limit).await?)
    }
}

pub(crate) fn recorded(row: &Row) -> Result<RecordedEvent, Error> {
    let position: i64 = row.try_get(0)?;
    let json = |what: &str, _: serde_json::Error| {
        Error::Broken(format!("{what} of position {position} is not JSON"))
    };
    Ok(RecordedEvent {
        position: Position::from_sql(position),
        aggregate_type: row.try_get(1)?,
        aggregate_id: row.try_get(2)?,
        sequence: Position::from_sql(row.try_get(3)?).get(),
        event_type: row.try_get(4)?,
        event_version: row.try_get(5)?,
        payload: RawValue::from_string(row.try_get(6)?).map_err(|error| json("payload", error))?,
        metadata: serde_json::from_str(row.try_get(7)?).map_err(|error| json("metadata", error))?,
        recorded_at: row.try_get(8)?,
    })
}
