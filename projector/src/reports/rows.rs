//! Rows that say what was counted: read once, changed in memory, written once. Rows travel as one JSON array.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use deadpool_postgres::Transaction;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_postgres::Error;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::misfit::Misfit;

/// A row of one aggregate.
pub(super) trait Row: Clone + Debug + Serialize + DeserializeOwned + Send + Sync {
    /// The aggregate.
    fn id(&self) -> Uuid;
}

/// How far a series of receipts is counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedSeries {
    pub(super) series_id: Uuid,
    pub(super) position: i64,
}

impl Row for CountedSeries {
    fn id(&self) -> Uuid {
        self.series_id
    }
}

/// The rows of one table that a run of events needs.
#[derive(Clone)]
pub(super) struct Rows<R> {
    rows: BTreeMap<Uuid, R>,
    changed: BTreeSet<Uuid>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<R: Row> Rows<R> {
    /// The rows of these aggregates, as far as they exist, by a statement that gives JSON.
    pub(super) async fn load(
        client: &Transaction<'_>,
        statement: &'static str,
        ids: BTreeSet<Uuid>,
    ) -> Result<Self, Error> {
        let rows: Vec<R> = read(client, statement, ids).await?;
        Ok(Self {
            rows: rows.into_iter().map(|row| (row.id(), row)).collect(),
            changed: BTreeSet::new(),
        })
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&R> {
        self.rows.get(&id)
    }

    pub(super) fn put(&mut self, row: R) {
        self.changed.insert(row.id());
        self.rows.insert(row.id(), row);
    }

    pub(super) fn change(&mut self, id: Uuid) -> Result<&mut R, Misfit> {
        let row = self.rows.get_mut(&id).ok_or(Misfit::NoRow)?;
        self.changed.insert(id);
        Ok(row)
    }

    /// The rows that began or changed.
    pub(super) fn changed(self) -> Vec<R> {
        let Self { rows, changed } = self;
        rows.into_iter()
            .filter(|(id, _)| changed.contains(id))
            .map(|(_, row)| row)
            .collect()
    }
}

/// Reads rows that a statement gives as JSON for these ids.
pub(super) async fn read<R: DeserializeOwned + Debug + Send + Sync>(
    client: &Transaction<'_>,
    statement: &'static str,
    ids: BTreeSet<Uuid>,
) -> Result<Vec<R>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let statement = client.prepare_cached(statement).await?;
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter()
        .map(|row| row.try_get::<_, Json<R>>(0).map(|row| row.0))
        .collect()
}

/// Writes rows by a statement that takes them as JSON.
pub(super) async fn write<R: Serialize + Debug + Sync>(
    client: &Transaction<'_>,
    statement: &'static str,
    rows: Vec<R>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = client.prepare_cached(statement).await?;
    client.execute(&statement, &[&Json(rows)]).await.map(|_| ())
}
