//! Reconciles an order with its payment, on a webhook or by polling.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{CapturePolicy, Order, OrderCommand, PaymentBooks};
use envelope::{Metadata, Position};
use event_store::{CommandError, CommandHandler, CommandRequest, IdempotencyKey, Loaded, Task};
use events::OrderEvent;
use metrics::counter;
use payments::{Error, Payment, PaymentState};
use serde_json::json;
use service::request_id;
use uuid::Uuid;
use vocabulary::{OrderStatus, PaymentProvider, Word as _};

use super::context::{Cashier, ProcessContext};
use super::step::{self, Outcome, StepError};
use crate::metrics::{CAPTURE_FAILURES_TOTAL, REFUND_FAILURES_TOTAL};

/// How long after an order ended its payment is looked at once more, for one that was started at the last moment.
pub(super) const LAST_LOOK: TimeDelta = TimeDelta::minutes(10);

/// How an order stands after the provider was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// There is no such order.
    Unknown,
    /// The customer can still pay.
    Open,
    /// The provider has no such payment, or no payment is recorded yet.
    NoPayment,
    /// The customer can no longer pay, or has paid, and the order records it.
    Over,
    /// The payment is not the order's payment, and was ended.
    Stray,
}

/// The metadata of `actor`'s commands in the current request.
pub(crate) fn metadata(actor: &str) -> Metadata {
    let request_id = request_id::current();
    Metadata {
        correlation_id: request_id.clone(),
        request_id,
        actor: Some(actor.to_owned()),
        ..Metadata::default()
    }
}

impl Cashier {
    /// As [`ask_and_apply`](Self::ask_and_apply), for a payment that the provider names. One that is not the order's payment is
    /// ended, unless the order may still record it.
    pub(crate) async fn ask_about(
        &self,
        provider: PaymentProvider,
        (order_id, payment_id): (Uuid, &str),
        metadata: Metadata,
    ) -> Result<Reconciled, StepError> {
        let order = self.command_handler.load::<Order>(order_id).await?.aggregate;
        let name = provider.as_str();
        if order
            .placed()
            .is_none_or(|placed| placed.payment_provider != name)
        {
            return Ok(Reconciled::Unknown);
        }
        match order.payment_id() {
            Some(own) if own == payment_id => self.ask_and_apply(order_id, metadata).await,
            None if order.awaits_payment() => Ok(Reconciled::NoPayment),
            _ => {
                self.end_stray(name, order_id, payment_id).await?;
                Ok(Reconciled::Stray)
            }
        }
    }

    /// Reads the order's payment from the provider and gives the order the command that follows. Its events carry the
    /// correlation id of the order, not that of the webhook or task that asked.
    pub(crate) async fn ask_and_apply(
        &self,
        order_id: Uuid,
        metadata: Metadata,
    ) -> Result<Reconciled, StepError> {
        let order = self.command_handler.load::<Order>(order_id).await?;
        if order.aggregate.placed().is_none() {
            return Ok(Reconciled::Unknown);
        }
        let Some((provider, payment_id)) = self.providers.payment_of(&order.aggregate)? else {
            return Ok(Reconciled::NoPayment);
        };
        match provider.get(payment_id).await {
            Ok(payment) => self.apply(order_id, &order, payment, metadata).await,
            Err(Error::NotFound) => Ok(Reconciled::NoPayment),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the payment of an order that can no longer be paid, and records on the order how the payment ended. Only a
    /// payment that is not authorized is ended: if the customer was faster, the provider refuses, and the order is
    /// reconciled with the payment.
    pub(crate) async fn abort_and_apply(
        &self,
        order_id: Uuid,
        metadata: Metadata,
    ) -> Result<Reconciled, StepError> {
        let order = self.command_handler.load::<Order>(order_id).await?;
        if order.aggregate.placed().is_none() {
            return Ok(Reconciled::Unknown);
        }
        let Some((provider, payment_id)) = self.providers.payment_of(&order.aggregate)? else {
            return Ok(Reconciled::NoPayment);
        };
        let once = format!("abort-{}", order_id.simple());
        match provider.abort(payment_id, &once).await {
            Ok(payment) => self.apply(order_id, &order, payment, metadata).await,
            Err(error @ (Error::NotFound | Error::Refused { .. })) => {
                match self.ask_and_apply(order_id, metadata).await? {
                    Reconciled::Open => Err(error.into()),
                    reconciled => Ok(reconciled),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the order the command that follows from its payment, unless nothing follows.
    pub(super) async fn apply(
        &self,
        order_id: Uuid,
        order: &Loaded<Order>,
        payment: Payment,
        metadata: Metadata,
    ) -> Result<Reconciled, StepError> {
        let Some((step, command)) = command(&order.aggregate, payment, &self.policy, Utc::now()) else {
            return Ok(Reconciled::Open);
        };
        let given = self
            .give(order_id, order, step, command.clone(), metadata.clone())
            .await;
        match (given, command) {
            // Other orders hold days of this order, which had expired or never got them: the money goes back.
            (
                Err(StepError::Command(CommandError::ClaimTaken(_))),
                OrderCommand::ConfirmPayment {
                    reference,
                    authorized_ore,
                    now,
                    days_taken: false,
                },
            ) => {
                let confirm = OrderCommand::ConfirmPayment {
                    reference,
                    authorized_ore,
                    now,
                    days_taken: true,
                };
                self.give(order_id, order, "return", confirm, metadata).await?;
            }
            (given, _) => given?,
        }
        Ok(Reconciled::Over)
    }

    /// Gives the command if events follow from it for the order as it was loaded. A command without events costs no append.
    pub(super) async fn give(
        &self,
        order_id: Uuid,
        order: &Loaded<Order>,
        step: &str,
        command: OrderCommand,
        metadata: Metadata,
    ) -> Result<(), StepError> {
        let decided = order.aggregate.decide(command.clone());
        let decided = decided.map_err(CommandError::Refused)?;
        if decided.is_empty() {
            return Ok(());
        }
        // An order has each version once, and the sums of the books are part of the key: of two looks at the same version,
        // the one that saw more is no repetition of the other.
        let step_of_order = format!("{order_id}:{step}:{}{}", order.version, seen(&command));
        let key = IdempotencyKey::new("process:payment", step_of_order.clone(), step_of_order);
        let call = CommandRequest {
            aggregate_id: order_id,
            command,
            key,
            metadata: Metadata {
                correlation_id: order.correlation_id.clone().or(metadata.correlation_id),
                ..metadata
            },
            expected_version: None,
            creates: false,
        };
        let answer = self
            .command_handler
            .execute::<Order>(call, |order, _| json!({"status": order.status()}))
            .await?;
        if !answer.replayed {
            tracing::info!(%order_id, step, "payment reconciled");
            decided.iter().for_each(count_failure);
        }
        Ok(())
    }
}

/// The sums in a command.
fn seen(command: &OrderCommand) -> String {
    match command {
        OrderCommand::ReconcilePayment { books, .. } | OrderCommand::RecordRefundFailure { books, .. } => {
            format!(
                ":{}:{}:{}:{}",
                books.captured_ore, books.refunded_ore, books.cancelled_ore, books.collectable_ore
            )
        }
        OrderCommand::ConfirmPayment { authorized_ore, .. } => format!(":{authorized_ore}"),
        _ => String::new(),
    }
}

fn count_failure(event: &OrderEvent) {
    match event {
        OrderEvent::CaptureFailed(failed) => {
            counter!(CAPTURE_FAILURES_TOTAL, "reason" => failed.reason.as_str()).increment(1);
        }
        OrderEvent::RefundFailed(failed) => {
            counter!(REFUND_FAILURES_TOTAL, "reason" => failed.reason.as_str()).increment(1);
        }
        _ => {}
    }
}

/// The payment's sums, as the order's commands carry them.
pub(super) fn books(payment: &Payment) -> PaymentBooks {
    PaymentBooks {
        reference: payment.payment_id.clone(),
        captured_ore: payment.captured_ore,
        refunded_ore: payment.refunded_ore,
        cancelled_ore: payment.cancelled_ore,
        collectable_ore: payment.collectable_ore(),
    }
}

/// The command that follows from the payment; none while the customer can still pay.
fn command(
    order: &Order,
    payment: Payment,
    policy: &Arc<CapturePolicy>,
    now: DateTime<Utc>,
) -> Option<(&'static str, OrderCommand)> {
    let (waits, over) = (order.awaits_payment(), order.over());
    let refunding = order.status() == Some(OrderStatus::RefundPending);
    if refunding || (!waits && !over) {
        let command = OrderCommand::ReconcilePayment {
            books: books(&payment),
            policy: Arc::clone(policy),
        };
        return Some(("reconcile", command));
    }
    let held = payment.collectable_ore() + payment.kept_ore();
    let expired = order.placed().is_some_and(|placed| now >= placed.expires_at);
    let reference = payment.payment_id;
    match payment.state {
        PaymentState::Created => None,
        PaymentState::Authorized if held > 0 => {
            let authorized_ore = payment.authorized_ore;
            let confirm = OrderCommand::ConfirmPayment {
                reference,
                authorized_ore,
                now,
                days_taken: false,
            };
            Some(("confirm", confirm))
        }
        PaymentState::Expired => Some(("lose", OrderCommand::RecordPaymentExpired { reference })),
        // Ended by us because the time was over.
        PaymentState::Terminated if expired => Some(("expire", OrderCommand::Expire { now })),
        PaymentState::Authorized | PaymentState::Aborted | PaymentState::Terminated => {
            Some(("decline", OrderCommand::DeclinePayment { reference }))
        }
    }
}

/// When to ask the provider again: soon after the order, then less often, and in any case when the time is over.
pub(super) fn next_look(
    placed_at: DateTime<Utc>,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> DateTime<Utc> {
    let waited = (now - placed_at).clamp(TimeDelta::seconds(20), TimeDelta::minutes(2));
    if now < expires_at {
        (now + waited).min(expires_at)
    } else {
        now + TimeDelta::seconds(2)
    }
}

/// Reconciles an order that no webhook came for. An order whose time is over expires, after its payment is ended.
pub(super) async fn reconcile(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    let order = cashier.command_handler.load::<Order>(order_id).await?;
    let Some(placed) = order.aggregate.placed().filter(|_| may_be_paid(&order.aggregate)) else {
        // The order has recorded how its payment ended.
        return Ok(Outcome::Done);
    };
    let outcome = reconcile_open(cashier, task, &order, placed.expires_at).await?;
    if matches!(outcome, Outcome::Later(_)) || order.aggregate.status() != Some(OrderStatus::Cancelled) {
        return Ok(outcome);
    }
    // The payment of a cancelled order was looked at at once. One that was being started then is ended by a last look.
    let (now, cancelled_at) = (
        Utc::now(),
        recorded_at(&cashier.command_handler, task, Utc::now()).await?,
    );
    let last_look = cancelled_at + LAST_LOOK;
    Ok(if now < last_look {
        Outcome::Later(last_look)
    } else {
        Outcome::Done
    })
}

/// Reads the payment, and ends it if the order can't be paid any more.
async fn reconcile_open(
    cashier: &Cashier,
    task: &Task,
    order: &Loaded<Order>,
    expires_at: DateTime<Utc>,
) -> Result<Outcome, StepError> {
    let order_id = task.aggregate_id;
    let metadata = step::metadata(task);
    let reconciled = cashier.ask_and_apply(order_id, metadata.clone()).await?;
    let now = Utc::now();
    let waits = order.aggregate.awaits_payment();
    match reconciled {
        Reconciled::Unknown | Reconciled::Over | Reconciled::Stray => Ok(Outcome::Done),
        Reconciled::Open | Reconciled::NoPayment if waits && now < expires_at => {
            let placed_at = recorded_at(&cashier.command_handler, task, now).await?;
            Ok(Outcome::Later(next_look(placed_at, now, expires_at)))
        }
        // Nothing to end at the provider: a payment that is started after this finds the order expired.
        Reconciled::NoPayment => {
            if waits {
                let expire = OrderCommand::Expire { now };
                cashier.give(order_id, order, "expire", expire, metadata).await?;
            }
            Ok(Outcome::Done)
        }
        // The payment ends first, so that an order that is over can't be paid.
        Reconciled::Open => match cashier.abort_and_apply(order_id, metadata).await? {
            Reconciled::Open | Reconciled::NoPayment => Ok(Outcome::Later(now + TimeDelta::seconds(2))),
            Reconciled::Unknown | Reconciled::Over | Reconciled::Stray => Ok(Outcome::Done),
        },
    }
}

/// Whether a payment may still change the order: it waits for one, or ended without one.
fn may_be_paid(order: &Order) -> bool {
    let ended = matches!(
        order.status(),
        Some(OrderStatus::Expired | OrderStatus::Cancelled)
    );
    order.awaits_payment() || ended
}

/// When the event that led to the task was recorded.
pub(super) async fn recorded_at(
    command_handler: &CommandHandler,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, StepError> {
    let before = Position::new(task.position.get().saturating_sub(1));
    let event = command_handler.log().read_after(before, 1).await?;
    Ok(event.first().map_or(now, |event| event.recorded_at))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{TimeDelta, TimeZone, Utc};
    use domain::{CapturePolicy, OrderCommand, PaymentBooks};

    use super::{next_look, seen};

    #[test]
    fn of_two_looks_at_one_order_the_one_that_saw_more_is_no_repetition() {
        let policy = include_str!("../../../data/capture-policy.json");
        let policy: Arc<CapturePolicy> = Arc::new(serde_json::from_str(policy).unwrap());
        let look = |refunded_ore| {
            seen(&OrderCommand::ReconcilePayment {
                books: PaymentBooks {
                    reference: "order".into(),
                    captured_ore: 42_000,
                    refunded_ore,
                    cancelled_ore: 0,
                    collectable_ore: 0,
                },
                policy: Arc::clone(&policy),
            })
        };
        assert_ne!(look(100), look(42_000));
        assert_eq!(look(100), look(100));
    }

    #[test]
    fn the_provider_is_asked_soon_then_less_often_and_when_time_is_over() {
        let placed = Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap();
        let expires = placed + TimeDelta::minutes(15);
        let look = |seconds| {
            (next_look(placed, placed + TimeDelta::seconds(seconds), expires) - placed).num_seconds()
        };
        assert_eq!([look(0), look(20), look(60), look(600)], [20, 40, 120, 720]);
        assert_eq!(look(899), 900);
        assert_eq!(look(900), 902);
    }
}
