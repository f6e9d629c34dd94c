//! A run of events, folded into the rows it touches: each row is read once and written once, however many events it
//! takes.

use std::collections::{BTreeSet, HashMap, HashSet};

use deadpool_postgres::{GenericClient, Transaction};
use envelope::RecordedEvent;
use events::{Event, aggregate_type};
use futures_util::try_join;
use read_model::write::{self, ClubRow, LicenseRow, LicenseTypeRow, OrderRow, Row};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Misfit, clubs, license_types, licenses, orders};

/// The rows that a run of events touches.
#[derive(Default)]
pub struct Fold {
    orders: Table<OrderRow>,
    licenses: Table<LicenseRow>,
    license_types: Table<LicenseTypeRow>,
    clubs: Table<ClubRow>,
}

impl Fold {
    /// The rows of the aggregates in `events`, as they are now. Those that begin in this run have none, and are not
    /// asked for.
    pub async fn load(client: &impl GenericClient, events: &[RecordedEvent]) -> Result<Self, Error> {
        let mut seen = HashSet::with_capacity(events.len());
        let older: Vec<&RecordedEvent> = events
            .iter()
            .filter(|event| seen.insert((&event.aggregate_type, event.aggregate_id)) && event.sequence > 1)
            .collect();
        let ids = |kind: &str| {
            let of_kind = older.iter().filter(|event| event.aggregate_type == kind);
            of_kind.map(|event| event.aggregate_id).collect::<Vec<_>>()
        };
        let (orders, licenses, license_types, clubs) = try_join!(
            Table::load(client, ids(aggregate_type::ORDER)),
            Table::load(client, ids(aggregate_type::LICENSE)),
            Table::load(client, ids(aggregate_type::LICENSE_TYPE)),
            Table::load(client, ids(aggregate_type::CLUB)),
        )?;
        Ok(Self {
            orders,
            licenses,
            license_types,
            clubs,
        })
    }

    /// Applies one event to its row, in memory. After a misfit the row is as before.
    pub fn apply(&mut self, recorded: &RecordedEvent, event: Event) -> Result<(), Misfit> {
        match event {
            Event::Order(event) => self
                .orders
                .apply(recorded, |row| orders::apply(row, recorded, event)),
            Event::License(event) => self
                .licenses
                .apply(recorded, |row| licenses::apply(row, recorded, event)),
            Event::LicenseType(event) => self
                .license_types
                .apply(recorded, |row| license_types::apply(row, recorded, event)),
            Event::Club(event) => self
                .clubs
                .apply(recorded, |row| clubs::apply(row, recorded, event)),
        }
    }

    /// Writes the rows that changed.
    pub async fn store(self, client: &impl GenericClient) -> Result<(), Error> {
        try_join!(
            self.orders.store(client),
            self.licenses.store(client),
            self.license_types.store(client),
            self.clubs.store(client),
        )?;
        Ok(())
    }

    /// As [`Fold::store`], with `COPY` for the rows that began in this run: for tables that nobody else writes, where
    /// such a row can't be there already.
    pub(crate) async fn copy(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        // One after the other: a connection takes one copy at a time.
        self.orders.copy(transaction).await?;
        self.licenses.copy(transaction).await?;
        self.license_types.copy(transaction).await?;
        self.clubs.copy(transaction).await
    }
}

struct Table<R> {
    rows: HashMap<Uuid, Option<R>>,
    /// Rows that began in this run.
    created: BTreeSet<Uuid>,
    /// Older rows that this run changed.
    changed: BTreeSet<Uuid>,
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
    async fn load(client: &impl GenericClient, ids: Vec<Uuid>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let rows = write::load::<R>(client, &ids).await?;
        Ok(Self {
            rows: rows.into_iter().map(|row| (row.id(), Some(row))).collect(),
            ..Self::default()
        })
    }

    fn apply(
        &mut self,
        recorded: &RecordedEvent,
        change: impl FnOnce(&mut Option<R>) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        let id = recorded.aggregate_id;
        let row = self.rows.entry(id).or_default();
        if row
            .as_ref()
            .is_some_and(|row| row.position() >= recorded.position.to_sql())
        {
            return Ok(());
        }
        let begins = row.is_none();
        change(row)?;
        if begins {
            self.created.insert(id);
        } else if !self.created.contains(&id) {
            self.changed.insert(id);
        }
        Ok(())
    }

    async fn store(mut self, client: &impl GenericClient) -> Result<(), Error> {
        // In the order of their ids, so that two writers would wait for each other rather than deadlock.
        let mut ids = std::mem::take(&mut self.created);
        ids.append(&mut self.changed);
        let rows = self.take(&ids);
        if rows.is_empty() {
            return Ok(());
        }
        write::upsert(client, &rows).await
    }

    async fn copy(mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let created = std::mem::take(&mut self.created);
        let created = self.take(&created);
        if !created.is_empty() {
            write::copy(transaction, &created).await?;
        }
        self.store(transaction).await
    }

    fn take(&mut self, ids: &BTreeSet<Uuid>) -> Vec<R> {
        ids.iter()
            .filter_map(|id| self.rows.remove(id).flatten())
            .collect()
    }
}
