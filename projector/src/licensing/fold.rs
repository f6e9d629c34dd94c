//! A run of events, folded into the rows it touches: each row is read once and written once, however many events it
//! takes.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::GenericClient;
use envelope::RecordedEvent;
use events::{Event, aggregate_type};
use futures_util::try_join;
use read_model::write::{self, ClubRow, LicenseRow, LicenseTypeRow, OrderRow, Row};
use tokio_postgres::Error;
use uuid::Uuid;

use super::{Misfit, clubs, license_types, licenses, orders, stamp};

/// The rows that a run of events touches.
#[derive(Default)]
pub struct Fold {
    orders: Table<OrderRow>,
    licenses: Table<LicenseRow>,
    license_types: Table<LicenseTypeRow>,
    clubs: Table<ClubRow>,
}

impl Fold {
    /// The rows of the aggregates in `events`, as they are now.
    pub async fn load(client: &impl GenericClient, events: &[RecordedEvent]) -> Result<Self, Error> {
        let ids = |kind: &str| {
            let of_kind = events.iter().filter(|event| event.aggregate_type == kind);
            of_kind.map(|event| event.aggregate_id).collect::<BTreeSet<_>>()
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

    /// Applies to its row, in memory, what one recorded event is read as. After a misfit the row is as before.
    pub fn apply(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => self.orders.apply(recorded, events, |row, event| match event {
                Event::Order(event) => orders::apply(row, recorded, event),
                _ => Err(Misfit::NoRow),
            }),
            aggregate_type::LICENSE => self.licenses.apply(recorded, events, |row, event| match event {
                Event::License(event) => licenses::apply(row, recorded, event),
                _ => Err(Misfit::NoRow),
            }),
            aggregate_type::LICENSE_TYPE => {
                self.license_types
                    .apply(recorded, events, |row, event| match event {
                        Event::LicenseType(event) => license_types::apply(row, recorded, event),
                        _ => Err(Misfit::NoRow),
                    })
            }
            aggregate_type::CLUB => self.clubs.apply(recorded, events, |row, event| match event {
                Event::Club(event) => clubs::apply(row, recorded, event),
                _ => Err(Misfit::NoRow),
            }),
            _ => Err(Misfit::NoRow),
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
}

struct Table<R> {
    rows: HashMap<Uuid, Option<R>>,
    changed: BTreeSet<Uuid>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<R: Row> Table<R> {
    async fn load(client: &impl GenericClient, ids: BTreeSet<Uuid>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let rows = write::load::<R>(client, &ids).await?;
        Ok(Self {
            rows: rows.into_iter().map(|row| (row.id(), Some(row))).collect(),
            ..Self::default()
        })
    }

    fn apply(
        &mut self,
        recorded: &RecordedEvent,
        events: Vec<Event>,
        mut change: impl FnMut(&mut Option<R>, Event) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        let row = self.rows.entry(recorded.aggregate_id).or_default();
        if row
            .as_ref()
            .is_some_and(|row| row.position() >= recorded.position.to_sql())
        {
            return Ok(());
        }
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
        // Also for an event that was dropped: the aggregate's version is past it.
        if let Some(row) = row {
            let (version, position) = stamp(recorded);
            row.stamp(version, position);
            self.changed.insert(recorded.aggregate_id);
        }
        Ok(())
    }

    async fn store(mut self, client: &impl GenericClient) -> Result<(), Error> {
        if self.changed.is_empty() {
            return Ok(());
        }
        // In the order of their ids, so that two writers would wait for each other rather than deadlock.
        let rows: Vec<R> = self
            .changed
            .iter()
            .filter_map(|id| self.rows.remove(id).flatten())
            .collect();
        write::upsert(client, &rows).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use envelope::{Metadata, Position, RecordedEvent};
    use events::{ClubRegistered, Event, aggregate_type};
    use uuid::Uuid;

    use super::{Fold, Misfit};

    fn recorded(number: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(number * 10),
            aggregate_type: aggregate_type::CLUB.into(),
            aggregate_id: Uuid::nil(),
            sequence: number,
            event_type: "Club".into(),
            event_version: "0".into(),
            payload: serde_json::value::to_raw_value(&()).unwrap(),
            metadata: Metadata::default(),
            recorded_at: DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    fn registered(name: &str) -> Event {
        Event::Club(ClubRegistered { name: name.into() }.into())
    }

    /// Name, version and position of the club's row.
    fn row(fold: &Fold) -> Option<(&str, i64, i64)> {
        let row = fold.clubs.rows.get(&Uuid::nil())?.as_ref()?;
        Some((&row.name, row.version, row.position))
    }

    #[test]
    fn a_dropped_event_moves_the_row_to_its_version_and_makes_none() {
        let mut fold = Fold::default();
        fold.apply(&recorded(1), vec![]).unwrap();
        assert_eq!(row(&fold), None);
        assert!(fold.clubs.changed.is_empty());
        fold.apply(&recorded(2), vec![registered("NMK")]).unwrap();
        fold.apply(&recorded(3), vec![]).unwrap();
        assert_eq!(row(&fold), Some(("NMK", 3, 30)));
    }

    #[test]
    fn a_split_event_is_applied_whole_or_not_at_all() {
        let mut fold = Fold::default();
        let twice = vec![registered("NMK"), registered("KNA")];
        assert_eq!(fold.apply(&recorded(1), twice), Err(Misfit::RowExists));
        assert_eq!(row(&fold), None, "its first part neither");
        fold.apply(&recorded(2), vec![registered("NMK")]).unwrap();
        assert_eq!(row(&fold), Some(("NMK", 2, 20)));
    }

    #[test]
    fn an_event_that_is_in_the_row_already_changes_nothing() {
        let mut fold = Fold::default();
        for _ in 0..2 {
            fold.apply(&recorded(1), vec![registered("NMK")]).unwrap();
        }
        assert_eq!(row(&fold), Some(("NMK", 1, 10)));
    }
}
