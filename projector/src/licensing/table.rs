//! The rows of one table that a run of events changes: read once, changed in memory, written once.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::{GenericClient, Transaction};
use envelope::RecordedEvent;
use events::Event;
use read_model::write::{self, Row};
use tokio_postgres::Error;
use uuid::Uuid;

use super::slot::stamp;
use crate::misfit::Misfit;

/// From this many new rows of a table on, `COPY` is worth its extra round trip.
const MANY: usize = 32;

/// The rows of one table that a run of events changes.
pub(super) struct Table<R> {
    pub(super) rows: HashMap<Uuid, Option<R>>,
    /// Rows that began in this run.
    created: BTreeSet<Uuid>,
    /// Older rows that this run changed.
    pub(super) changed: BTreeSet<Uuid>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            created: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<R: Row> Table<R> {
    /// The rows of these aggregates, as far as they exist.
    pub(super) async fn load(client: &impl GenericClient, ids: Vec<Uuid>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let rows = write::load::<R>(client, &ids).await?;
        Ok(Self {
            rows: rows.into_iter().map(|row| (row.id(), Some(row))).collect(),
            ..Self::default()
        })
    }

    /// A row as it is now.
    pub(super) fn row(&self, id: Uuid) -> Option<&R> {
        self.rows.get(&id)?.as_ref()
    }

    /// Whether a row began or changed in this run.
    pub(super) fn has_changes(&self) -> bool {
        !self.created.is_empty() || !self.changed.is_empty()
    }

    /// A row that no other event changes.
    pub(super) fn add(&mut self, row: R) {
        let id = row.id();
        self.rows.insert(id, Some(row));
        self.created.insert(id);
    }

    /// Changes the row of the event's aggregate.
    pub(super) fn apply(
        &mut self,
        recorded: &RecordedEvent,
        events: Vec<Event>,
        change: impl FnMut(&mut Option<R>, Event) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        self.apply_to(recorded.aggregate_id, recorded, events, change)
    }

    /// Changes the row with this id.
    pub(super) fn apply_to(
        &mut self,
        id: Uuid,
        recorded: &RecordedEvent,
        events: Vec<Event>,
        mut change: impl FnMut(&mut Option<R>, Event) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        let row = self.rows.entry(id).or_default();
        if row
            .as_ref()
            .is_some_and(|row| row.position() >= recorded.position.to_sql())
        {
            return Ok(());
        }
        let begins = row.is_none();
        // All of an event that was split, or nothing of it.
        let before = (events.len() > 1).then(|| row.clone());
        for event in events {
            if let Err(misfit) = change(row, event) {
                if let Some(before) = before {
                    *row = before;
                }
                return Err(misfit);
            }
        }
        // Also for an event that upcasting dropped: the aggregate's version is past it.
        if let Some(row) = row {
            let (version, position) = stamp(recorded);
            row.stamp(version, position);
            if begins {
                self.created.insert(id);
            } else if !self.created.contains(&id) {
                self.changed.insert(id);
            }
        }
        Ok(())
    }

    /// Copies in the rows that began in this run, if they are many. A row that exists, because the checkpoint was set back
    /// by hand, makes that an error; the events are then applied one by one.
    pub(super) async fn copy(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if self.created.len() < MANY {
            return Ok(());
        }
        let created = std::mem::take(&mut self.created);
        write::copy(transaction, &self.take(&created)).await
    }

    /// Writes the other rows that began or changed.
    pub(super) async fn store(mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        // In the order of their ids, so that two writers wait for each other instead of a deadlock.
        let mut ids = std::mem::take(&mut self.created);
        ids.append(&mut self.changed);
        let rows = self.take(&ids);
        if rows.is_empty() {
            return Ok(());
        }
        write::upsert(transaction, &rows).await
    }

    fn take(&mut self, ids: &BTreeSet<Uuid>) -> Vec<R> {
        ids.iter()
            .filter_map(|id| self.rows.remove(id).flatten())
            .collect()
    }
}
