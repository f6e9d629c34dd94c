//! Compares one order with its payment at the provider, and heals what differs.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Difference, Order, OrderCommand, SeenPayment};
use envelope::Metadata;
use event_store::Loaded;
use events::aggregate_type;
use payments::{Error, PaymentState};
use uuid::Uuid;

use super::context::Cashier;
use super::reconcile::{Reconciled, books};
use super::step::StepError;

/// How long something may be under way, or overdue, before it counts as a difference: the process managers work on it.
const GRACE: TimeDelta = TimeDelta::minutes(15);

/// What came of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The order ended long ago: its payment was not read.
    Settled,
    /// Order and payment agree.
    Agrees,
    /// They differed in this, and agree now, or a task is under way that makes them agree.
    Healed(Difference),
    /// They differ in this, and the shop can't change it.
    Differs(Difference),
}

impl Cashier {
    /// Compares an order with its payment. Unless `all`, a payment is read only if the order is not settled.
    pub(crate) async fn compare(
        &self,
        order_id: Uuid,
        all: bool,
        metadata: Metadata,
    ) -> Result<Verdict, StepError> {
        let order = self.command_handler.load::<Order>(order_id).await?;
        if order.aggregate.placed().is_none() || (!all && order.aggregate.settled()) {
            return Ok(Verdict::Settled);
        }
        let Some(found) = self.difference(order_id, &order).await? else {
            return Ok(Verdict::Agrees);
        };
        self.heal(order_id, &order, found, metadata).await?;
        let order = self.command_handler.load::<Order>(order_id).await?;
        Ok(match self.difference(order_id, &order).await? {
            None => Verdict::Healed(found),
            Some(left) => Verdict::Differs(left),
        })
    }

    /// How the order differs from its payment, if not only for a moment.
    async fn difference(
        &self,
        order_id: Uuid,
        order: &Loaded<Order>,
    ) -> Result<Option<Difference>, StepError> {
        let seen = self.seen(&order.aggregate).await?;
        if overdue(&order.aggregate, Utc::now()) {
            return Ok(Some(Difference::NotRecorded));
        }
        let found = order.aggregate.difference(seen.as_ref());
        if found == Some(Difference::UnderWay) && self.changed_lately(order_id, order.version).await? {
            return Ok(None);
        }
        Ok(found)
    }

    /// The order's payment as the provider shows it now.
    async fn seen(&self, order: &Order) -> Result<Option<SeenPayment>, StepError> {
        let Some((provider, payment_id)) = self.providers.payment_of(order)? else {
            return Ok(None);
        };
        match provider.get(payment_id).await {
            Ok(payment) => Ok(Some(SeenPayment {
                open: payment.state == PaymentState::Created,
                books: books(&payment),
            })),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the order's last event is younger than [`GRACE`].
    async fn changed_lately(&self, order_id: Uuid, version: u64) -> Result<bool, StepError> {
        let log = self.command_handler.log();
        let before = version.saturating_sub(1);
        let last = log
            .read_stream(aggregate_type::ORDER, order_id, before, 1)
            .await?;
        Ok(last
            .first()
            .is_some_and(|event| Utc::now() - event.recorded_at < GRACE))
    }

    /// Gives the order the command that follows from its payment, and ends a payment that must not be paid any more.
    async fn heal(
        &self,
        order_id: Uuid,
        order: &Loaded<Order>,
        found: Difference,
        metadata: Metadata,
    ) -> Result<(), StepError> {
        let (order_over, now) = (order.aggregate.over(), Utc::now());
        let over_time = overdue(&order.aggregate, now);
        let reconciled = if over_time || found == Difference::StillOpen {
            self.abort_and_apply(order_id, metadata.clone()).await?
        } else {
            self.ask_and_apply(order_id, metadata.clone()).await?
        };
        if reconciled == Reconciled::NoPayment && over_time && !order_over {
            let expire = OrderCommand::Expire { now };
            self.give(order_id, order, "expire", expire, metadata).await?;
        }
        Ok(())
    }
}

/// Whether an unpaid order should have expired long ago.
fn overdue(order: &Order, now: DateTime<Utc>) -> bool {
    let expires_at = order.placed().map(|placed| placed.expires_at);
    order.awaits_payment() && expires_at.is_some_and(|expires_at| now > expires_at + GRACE)
}
