//! A run of events, folded into what it adds. An event that its aggregate's row has already counted adds nothing.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use envelope::RecordedEvent;
use events::{Event, LicenseEvent, OrderEvent, ReceiptIssued, ReceiptSeriesEvent, aggregate_type};
use futures_util::try_join;
use projection::{Inapplicable, ProjectionBatch};
use read_model::collections;
use tokio_postgres::Error;
use uuid::Uuid;

use super::activities::Activities;
use super::licenses::CountedLicense;
use super::orders::CountedOrder;
use super::outline::Outline;
use super::receipts::{Receipt, WaitingReceipt};
use super::rows::{CountedSeries, Rows, write};
use super::sales::Sales;
use crate::bounds;
use crate::misfit::Misfit;

/// What a run of events adds, and what it has to know for that.
#[derive(Clone, Default)]
pub struct ReportsBatch {
    orders: Rows<CountedOrder>,
    licenses: Rows<CountedLicense>,
    series: Rows<CountedSeries>,
    /// By order.
    waiting: BTreeMap<Uuid, Vec<Receipt>>,
    /// Orders with other waiting receipts than the table has.
    waiting_changed: BTreeSet<Uuid>,
    sales: Sales,
    activities: Activities,
    outline: Outline,
}

impl ProjectionBatch for ReportsBatch {
    async fn load(client: &Transaction<'_>, events: &[RecordedEvent]) -> Result<Self, Error> {
        let ids = |kind: &str| {
            let of_kind = events.iter().filter(|event| event.aggregate_type == kind);
            of_kind.map(|event| event.aggregate_id).collect::<BTreeSet<_>>()
        };
        let named = receipts(events).map(|receipt| receipt.order_id);
        let orders: BTreeSet<Uuid> = ids(aggregate_type::ORDER).into_iter().chain(named).collect();
        let (orders, licenses, series, waiting) = try_join!(
            Rows::load(client, include_str!("sql/load_orders.sql"), orders.clone()),
            Rows::load(
                client,
                include_str!("sql/load_licenses.sql"),
                ids(aggregate_type::LICENSE)
            ),
            Rows::load(
                client,
                include_str!("sql/load_series.sql"),
                ids(aggregate_type::RECEIPT_SERIES)
            ),
            WaitingReceipt::load(client, orders),
        )?;
        Ok(Self {
            orders,
            licenses,
            series,
            waiting,
            ..Self::default()
        })
    }

    fn apply(&mut self, recorded: &RecordedEvent) -> Result<(), Inapplicable> {
        let events = Event::read(recorded)?;
        bounds::without_nul(recorded)?;
        if self.has_counted(recorded) {
            return Ok(());
        }
        // All of an event that was split, or nothing of it.
        let before = (events.len() > 1).then(|| self.clone());
        let outcome = events
            .into_iter()
            .try_for_each(|event| self.count(recorded, event));
        if let (Err(_), Some(before)) = (&outcome, before) {
            *self = before;
        }
        Ok(outcome?)
    }

    fn changes(&self) -> Vec<&'static str> {
        let shared = [
            (collections::SALES, self.sales.is_empty()),
            (collections::ACTIVITIES, self.activities.is_empty()),
        ];
        let changed = shared.into_iter().filter(|(_, unchanged)| !unchanged);
        changed.map(|(collection, _)| collection.name).collect()
    }

    async fn store(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let (activities, license_types) = self.activities.into_rows();
        let changed: Vec<Uuid> = self.waiting_changed.iter().copied().collect();
        let waiting: Vec<WaitingReceipt> = WaitingReceipt::of(&self.waiting, &self.waiting_changed);
        if !changed.is_empty() {
            let release = include_str!("sql/release_receipts.sql");
            transaction.execute(release, &[&changed]).await?;
        }
        try_join!(
            write(
                transaction,
                include_str!("sql/store_orders.sql"),
                self.orders.changed()
            ),
            write(
                transaction,
                include_str!("sql/store_licenses.sql"),
                self.licenses.changed()
            ),
            write(
                transaction,
                include_str!("sql/store_series.sql"),
                self.series.changed()
            ),
            write(transaction, include_str!("sql/keep_receipts.sql"), waiting),
            write(
                transaction,
                include_str!("sql/add_sales.sql"),
                self.sales.into_rows()
            ),
            write(transaction, include_str!("sql/add_activities.sql"), activities),
            write(
                transaction,
                include_str!("sql/add_activity_license_types.sql"),
                license_types
            ),
            self.outline.store(transaction),
        )?;
        Ok(())
    }
}

impl ReportsBatch {
    fn has_counted(&self, recorded: &RecordedEvent) -> bool {
        let id = recorded.aggregate_id;
        let counted = match recorded.aggregate_type.as_str() {
            aggregate_type::ORDER => self.orders.get(id).map(|order| order.position),
            aggregate_type::LICENSE => self.licenses.get(id).map(|license| license.position),
            aggregate_type::RECEIPT_SERIES => self.series.get(id).map(|series| series.position),
            _ => None,
        };
        counted.is_some_and(|position| position >= recorded.position.to_sql())
    }

    /// After a misfit nothing is counted.
    fn count(&mut self, recorded: &RecordedEvent, event: Event) -> Result<(), Misfit> {
        let (id, at) = (recorded.aggregate_id, recorded.recorded_at);
        let position = recorded.position.to_sql();
        match event {
            Event::Order(OrderEvent::OrderPlaced(placed)) => {
                if self.orders.get(id).is_some() {
                    return Err(Misfit::RowExists);
                }
                let order = CountedOrder::of(id, &placed, at, position)?;
                let waiting = self.waiting.get(&id).map(Vec::as_slice).unwrap_or_default();
                let parts: Vec<_> = waiting
                    .iter()
                    .map(|receipt| receipt.parts(&order).map(|parts| (receipt, parts)))
                    .collect::<Result<_, _>>()?;
                for (receipt, parts) in parts {
                    self.sales
                        .add(receipt.day, &receipt.provider, receipt.once(), parts);
                }
                if self.waiting.remove(&id).is_some() {
                    self.waiting_changed.insert(id);
                }
                self.outline.change(None, &order.place());
                self.orders.put(order);
            }
            Event::Order(event) => self.change_order(recorded, &event)?,
            Event::License(LicenseEvent::LicenseIssued(issued)) => {
                self.begin_license(CountedLicense::of(id, &issued, false, at, position)?)?;
            }
            Event::License(LicenseEvent::LicenseGranted(granted)) => {
                self.begin_license(CountedLicense::of(id, &granted.license, true, at, position)?)?;
            }
            Event::License(LicenseEvent::LicenseRevoked(_) | LicenseEvent::LicenseRevokedByStaff(_)) => {
                self.change_license(id, position, |license| license.revoked = true)?;
            }
            Event::License(LicenseEvent::LicenseSuspended(_)) => {
                self.change_license(id, position, |license| license.suspended = true)?;
            }
            Event::License(LicenseEvent::LicenseReinstated(_)) => {
                self.change_license(id, position, |license| license.suspended = false)?;
            }
            Event::License(LicenseEvent::LicenseCheckedIn(_)) => {
                self.change_license(id, position, |license| license.checked_in = true)?;
            }
            Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) => {
                self.count_receipt(id, position, &issued)?;
            }
            // Nothing else moves money or changes where a license is counted: not a correction, not an erasure.
            _ => {}
        }
        Ok(())
    }

    /// An event that changes nothing of what is counted changes no row.
    fn change_order(&mut self, recorded: &RecordedEvent, event: &OrderEvent) -> Result<(), Misfit> {
        let before = self.orders.get(recorded.aggregate_id).ok_or(Misfit::NoRow)?;
        let mut after = before.after(event)?;
        let is_sold = matches!(event, OrderEvent::OrderFulfilled(_));
        if !is_sold && after == *before {
            return Ok(());
        }
        if is_sold {
            let day = bounds::day_in_norway(recorded.recorded_at)?;
            self.sales
                .add(day, &after.provider, CountedOrder::ONCE, after.licenses());
        }
        self.outline.change(Some(&before.place()), &after.place());
        after.position = recorded.position.to_sql();
        self.orders.put(after);
        Ok(())
    }

    fn begin_license(&mut self, license: CountedLicense) -> Result<(), Misfit> {
        if self.licenses.get(license.license_id).is_some() {
            return Err(Misfit::RowExists);
        }
        self.activities.add(None, &license);
        self.outline.change(None, &license.place());
        self.licenses.put(license);
        Ok(())
    }

    fn change_license(
        &mut self,
        id: Uuid,
        position: i64,
        change: impl FnOnce(&mut CountedLicense),
    ) -> Result<(), Misfit> {
        let license = self.licenses.change(id)?;
        let before = license.clone();
        change(license);
        license.position = position;
        self.activities.add(Some(&before), license);
        self.outline.change(Some(&before.place()), &license.place());
        Ok(())
    }

    fn count_receipt(&mut self, id: Uuid, position: i64, issued: &ReceiptIssued) -> Result<(), Misfit> {
        let receipt = Receipt::of(issued)?;
        if let Some(order) = self.orders.get(issued.order_id) {
            let parts = receipt.parts(order)?;
            self.sales
                .add(receipt.day, &receipt.provider, receipt.once(), parts);
        } else {
            self.waiting.entry(issued.order_id).or_default().push(receipt);
            self.waiting_changed.insert(issued.order_id);
        }
        self.series.put(CountedSeries {
            series_id: id,
            position,
        });
        Ok(())
    }
}

/// The receipts among these events. One that can't be read is parked when it is applied.
fn receipts(events: &[RecordedEvent]) -> impl Iterator<Item = ReceiptIssued> {
    let of_series = events
        .iter()
        .filter(|event| event.aggregate_type == aggregate_type::RECEIPT_SERIES);
    let read = of_series.flat_map(|event| Event::read(event).unwrap_or_default());
    read.filter_map(|event| match event {
        Event::ReceiptSeries(ReceiptSeriesEvent::ReceiptIssued(issued)) => Some(issued),
        _ => None,
    })
}
