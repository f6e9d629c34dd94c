//! A run of events, folded into the rows it changes: each row is read once and written once, however many events change it.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use envelope::RecordedEvent;
use events::{Event, LettersEvent, ReceiptSeriesEvent, aggregate_type};
use futures_util::try_join;
use projection::{Inapplicable, ProjectionBatch};
use read_model::collections;
use read_model::write::{
    BatchItemRow, BatchRow, ClubRow, LetterRow, LicenseRow, LicenseTypeRow, OrderRow, ReceiptRow,
    SuspensionRow, TermsRow, TimelineRow, UserRow,
};
use tokio_postgres::Error;
use uuid::Uuid;

use super::slot::create;
use super::table::Table;
use super::{
    batches, clubs, letters, license_types, licenses, orders, receipts, suspensions, terms, timeline, users,
};
use crate::bounds;
use crate::misfit::Misfit;

/// The rows that a run of events changes.
#[derive(Default)]
pub struct LicensingBatch {
    orders: Table<OrderRow>,
    licenses: Table<LicenseRow>,
    license_types: Table<LicenseTypeRow>,
    clubs: Table<ClubRow>,
    /// Created once and never changed, so none is loaded.
    receipts: Table<ReceiptRow>,
    letters: Table<LetterRow>,
    /// A row for each event, so none is ever loaded.
    terms: Table<TermsRow>,
    suspensions: Table<SuspensionRow>,
    users: Table<UserRow>,
    /// A row for each event, so none is ever loaded.
    timeline: Table<TimelineRow>,
    batches: Table<BatchRow>,
    /// Created once and never changed, so none is loaded.
    batch_items: Table<BatchItemRow>,
}

impl ProjectionBatch for LicensingBatch {
    /// Reads the rows of the aggregates in `events`. Aggregates that begin in this run have no rows yet.
    async fn load(client: &Transaction<'_>, events: &[RecordedEvent]) -> Result<Self, Error> {
        let mut seen = HashSet::with_capacity(events.len());
        let older: Vec<&RecordedEvent> = events
            .iter()
            .filter(|event| seen.insert((&event.aggregate_type, event.aggregate_id)) && event.sequence > 1)
            .collect();
        let ids = |kind: &str| {
            let of_kind = older.iter().filter(|event| event.aggregate_type == kind);
            of_kind.map(|event| event.aggregate_id).collect::<Vec<_>>()
        };
        let (orders, licenses, license_types, clubs, letters, users, suspensions, batches) = try_join!(
            Table::load(client, ids(aggregate_type::ORDER)),
            Table::load(client, ids(aggregate_type::LICENSE)),
            Table::load(client, ids(aggregate_type::LICENSE_TYPE)),
            Table::load(client, ids(aggregate_type::CLUB)),
            Table::load(client, forgotten_letters(events)),
            Table::load(client, ids(aggregate_type::USER)),
            Table::load(client, ids(aggregate_type::SUSPENSION)),
            Table::load(client, ids(aggregate_type::BATCH)),
        )?;
        Ok(Self {
            orders,
            licenses,
            license_types,
            clubs,
            receipts: Table::default(),
            letters,
            terms: Table::default(),
            suspensions,
            users,
            timeline: Table::default(),
            batches,
            batch_items: Table::default(),
        })
    }

    fn apply(&mut self, recorded: &RecordedEvent) -> Result<(), Inapplicable> {
        let events = Event::read(recorded)?;
        Ok(self.apply_decoded(recorded, events)?)
    }

    fn changes(&self) -> Vec<&'static str> {
        let shared = [
            (collections::LICENSE_TYPES, self.license_types.has_changes()),
            (collections::CLUBS, self.clubs.has_changes()),
            (collections::TERMS, self.terms.has_changes()),
        ];
        let changed = shared.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(collection, _)| collection.name).collect()
    }

    async fn store(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let Self {
            mut orders,
            mut licenses,
            mut license_types,
            mut clubs,
            mut receipts,
            mut letters,
            mut terms,
            mut users,
            mut timeline,
            mut suspensions,
            mut batches,
            mut batch_items,
        } = self;
        // A connection takes one copy at a time.
        orders.copy(transaction).await?;
        licenses.copy(transaction).await?;
        license_types.copy(transaction).await?;
        clubs.copy(transaction).await?;
        receipts.copy(transaction).await?;
        letters.copy(transaction).await?;
        terms.copy(transaction).await?;
        users.copy(transaction).await?;
        timeline.copy(transaction).await?;
        suspensions.copy(transaction).await?;
        batches.copy(transaction).await?;
        batch_items.copy(transaction).await?;
        try_join!(
            orders.store(transaction),
            licenses.store(transaction),
            license_types.store(transaction),
            clubs.store(transaction),
            receipts.store(transaction),
            letters.store(transaction),
            terms.store(transaction),
            users.store(transaction),
            timeline.store(transaction),
            suspensions.store(transaction),
            batches.store(transaction),
            batch_items.store(transaction),
        )?;
        Ok(())
    }
}

impl LicensingBatch {
    /// Applies to its row what one recorded event was decoded as. After a misfit the row is unchanged.
    fn apply_decoded(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        bounds::without_nul(recorded)?;
        self.change_row(recorded, events)?;
        self.add_to_timeline(recorded)
    }

    /// An event of an order, of a license or of a letter is an entry of the order's timeline.
    fn add_to_timeline(&mut self, recorded: &RecordedEvent) -> Result<(), Misfit> {
        let id = recorded.aggregate_id;
        let of_license = || self.licenses.row(id).map(|license| (license.order_id, Some(id)));
        let of_order = || self.orders.row(id).map(|order| (order.order_id, None));
        let whose = match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => of_order(),
            aggregate_type::LICENSE => of_license(),
            aggregate_type::LETTERS => letters::order_of(recorded).map(|order_id| (order_id, None)),
            _ => None,
        };
        if let Some((order_id, license_id)) = whose {
            self.timeline
                .add(timeline::entry(recorded, order_id, license_id)?);
        }
        Ok(())
    }

    fn change_row(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => self.orders.apply(recorded, events, |row, event| match event {
                Event::Order(event) => orders::apply(row, recorded, event),
                _ => Err(Misfit::NoRow),
            }),
            aggregate_type::LICENSE => self.licenses.apply(recorded, events, |row, event| match event {
                Event::License(event) => {
                    licenses::apply(row, recorded, event)?;
                    licenses::note_revocation(row);
                    Ok(())
                }
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
            aggregate_type::USER => self.users.apply(recorded, events, |row, event| match event {
                Event::User(event) => users::apply(row, recorded, event),
                _ => Err(Misfit::NoRow),
            }),
            aggregate_type::RECEIPT_SERIES => self.apply_receipts(recorded, events),
            aggregate_type::LETTERS => self.apply_letters(recorded, events),
            aggregate_type::BATCH => self.apply_batches(recorded, events),
            aggregate_type::TERMS => events.into_iter().try_for_each(|event| match event {
                Event::Terms(event) => {
                    let id = terms::row_id(recorded, &event);
                    let events = vec![Event::Terms(event)];
                    self.terms
                        .apply_to(id, recorded, events, |row, event| match event {
                            Event::Terms(event) => terms::apply(row, recorded, event),
                            _ => Err(Misfit::NoRow),
                        })
                }
                _ => Err(Misfit::NoRow),
            }),
            aggregate_type::SUSPENSION => {
                self.suspensions
                    .apply(recorded, events, |row, event| match event {
                        Event::Suspension(event) => suspensions::apply(row, recorded, event),
                        _ => Err(Misfit::NoRow),
                    })
            }
            _ => Err(Misfit::NoRow),
        }
    }

    /// The letters of an order have a row each. An erasure changes several.
    fn apply_letters(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        for event in events {
            let Event::Letters(letters) = &event else {
                return Err(Misfit::NoRow);
            };
            for id in letters::ids(letters) {
                let one = vec![event.clone()];
                self.letters
                    .apply_to(id, recorded, one, |row, event| match event {
                        Event::Letters(event) => letters::apply(row, recorded, event),
                        _ => Err(Misfit::NoRow),
                    })?;
            }
        }
        Ok(())
    }

    /// A batch has a row, and so has each of its items once it is done or refused.
    fn apply_batches(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        let mut items = Vec::new();
        self.batches.apply(recorded, events, |row, event| match event {
            Event::Batch(event) => {
                items.extend(batches::apply(row, recorded, event)?);
                Ok(())
            }
            _ => Err(Misfit::NoRow),
        })?;
        for item in items {
            self.batch_items.add(item);
        }
        Ok(())
    }

    /// A series has a row for each of its receipts.
    fn apply_receipts(&mut self, recorded: &RecordedEvent, events: Vec<Event>) -> Result<(), Misfit> {
        for event in events {
            let Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) = event else {
                return Err(Misfit::NoRow);
            };
            let row = receipts::row(recorded, &issued)?;
            let one = vec![Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued))];
            self.receipts
                .apply_to(row.receipt_id, recorded, one, |slot, _| create(slot, row.clone()))?;
        }
        Ok(())
    }
}

/// The letters whose rows an erasure in this run changes. Any other event of a letter begins its row.
fn forgotten_letters(events: &[RecordedEvent]) -> Vec<Uuid> {
    let erased = events
        .iter()
        .filter(|event| event.event_type == "LetterRecipientErased");
    let read = erased.flat_map(|event| Event::read(event).unwrap_or_default());
    read.flat_map(|event| match event {
        Event::Letters(event @ LettersEvent::LetterRecipientErased(_)) => letters::ids(&event),
        _ => Vec::new(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use envelope::{Metadata, Position, RecordedEvent};
    use events::{ClubRegistered, Event, aggregate_type};
    use uuid::Uuid;

    use super::{LicensingBatch, Misfit};

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
    fn row(batch: &LicensingBatch) -> Option<(&str, i64, i64)> {
        let row = batch.clubs.rows.get(&Uuid::nil())?.as_ref()?;
        Some((&row.name, row.version, row.position))
    }

    #[test]
    fn a_dropped_event_moves_the_row_to_its_version_and_makes_none() {
        let mut batch = LicensingBatch::default();
        batch.apply_decoded(&recorded(1), vec![]).unwrap();
        assert_eq!(row(&batch), None);
        assert!(batch.clubs.changed.is_empty());
        batch
            .apply_decoded(&recorded(2), vec![registered("NMK")])
            .unwrap();
        batch.apply_decoded(&recorded(3), vec![]).unwrap();
        assert_eq!(row(&batch), Some(("NMK", 3, 30)));
    }

    #[test]
    fn a_split_event_is_applied_whole_or_not_at_all() {
        let mut batch = LicensingBatch::default();
        let twice = vec![registered("NMK"), registered("KNA")];
        assert_eq!(batch.apply_decoded(&recorded(1), twice), Err(Misfit::RowExists));
        assert_eq!(row(&batch), None, "its first part neither");
        batch
            .apply_decoded(&recorded(2), vec![registered("NMK")])
            .unwrap();
        assert_eq!(row(&batch), Some(("NMK", 2, 20)));
    }

    #[test]
    fn an_event_that_is_in_the_row_already_changes_nothing() {
        let mut batch = LicensingBatch::default();
        for _ in 0..2 {
            batch
                .apply_decoded(&recorded(1), vec![registered("NMK")])
                .unwrap();
        }
        assert_eq!(row(&batch), Some(("NMK", 1, 10)));
    }
}
