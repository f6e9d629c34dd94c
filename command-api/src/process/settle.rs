//! How a payment stands, asked of the provider and told to the order: on a webhook, and by ourselves when none comes.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Order, OrderCommand};
use envelope::{Metadata, Position};
use event_store::{Call, Executor, IdempotencyKey, Task};
use payments::{Payment, PaymentProvider, PaymentState};
use serde_json::json;
use service::request_id;
use uuid::Uuid;

use super::Shop;
use super::step::{Outcome, StepError};

/// How an order stands after the provider was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// There is no such order.
    Unknown,
    /// The customer can still pay.
    Open,
    /// The provider has no such payment.
    NoPayment,
    /// The payment is over, one way or the other, and the order knows.
    Over,
}

/// Whoever tells an order about its payment, in the request at hand.
pub(crate) fn metadata(actor: &str) -> Metadata {
    let request_id = request_id::current();
    Metadata {
        correlation_id: request_id.clone(),
        request_id,
        actor: Some(actor.to_owned()),
        ..Metadata::default()
    }
}

/// Asks the provider about the order's payment and tells the order. Whoever asks, what follows belongs to the
/// conversation that began with the order.
pub(crate) async fn ask_and_apply(
    executor: &Executor,
    provider: &dyn PaymentProvider,
    order_id: Uuid,
    metadata: Metadata,
) -> Result<Settled, StepError> {
    let loaded = executor.load::<Order>(order_id).await?;
    let Some(placed) = loaded.aggregate.placed() else {
        return Ok(Settled::Unknown);
    };
    let metadata = Metadata {
        correlation_id: loaded.correlation_id.clone().or(metadata.correlation_id),
        ..metadata
    };
    match provider.get(&placed.payment_reference).await {
        Ok(payment) => apply(executor, order_id, placed.expires_at, payment, metadata).await,
        Err(payments::Error::NotFound) => Ok(Settled::NoPayment),
        Err(error) => Err(error.into()),
    }
}

/// Tells the order what the provider says of its payment. The same answer leads to the same command, once.
async fn apply(
    executor: &Executor,
    order_id: Uuid,
    expires_at: DateTime<Utc>,
    payment: Payment,
    metadata: Metadata,
) -> Result<Settled, StepError> {
    let now = Utc::now();
    let held = payment.authorized_ore - payment.cancelled_ore;
    let (step, command) = match payment.state {
        PaymentState::Created => return Ok(Settled::Open),
        PaymentState::Authorized if held > 0 => {
            let confirm = OrderCommand::ConfirmPayment {
                reference: payment.reference,
                authorized_ore: payment.authorized_ore,
                now,
                days_taken: false,
            };
            ("confirm", confirm)
        }
        PaymentState::Expired => (
            "lose",
            OrderCommand::LosePayment {
                reference: payment.reference,
            },
        ),
        // Ended by us because the time was over.
        PaymentState::Terminated if now >= expires_at => ("expire", OrderCommand::Expire { now }),
        PaymentState::Authorized | PaymentState::Aborted | PaymentState::Terminated => (
            "decline",
            OrderCommand::DeclinePayment {
                reference: payment.reference,
            },
        ),
    };
    execute(executor, order_id, step, command, metadata).await?;
    Ok(Settled::Over)
}

async fn execute(
    executor: &Executor,
    order_id: Uuid,
    step: &str,
    command: OrderCommand,
    metadata: Metadata,
) -> Result<(), StepError> {
    // What is told of the payment may differ from one look to the next; the step is the same.
    let step_of_order = format!("{order_id}:{step}");
    let key = IdempotencyKey::new("process:payment", step_of_order.clone(), step_of_order);
    let call = Call {
        aggregate_id: order_id,
        command,
        key,
        metadata,
        expected_version: None,
        creates: false,
    };
    let answer = executor
        .execute::<Order>(call, |order, _| json!({"status": order.status().as_str()}))
        .await?;
    if !answer.replayed {
        tracing::info!(%order_id, step, "payment settled");
    }
    Ok(())
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

/// Asks about the payment of an order nobody has heard of; gives an order up when its time is over, its payment first.
pub(super) async fn settle(shop: &Shop, task: &Task) -> Result<Outcome, StepError> {
    let (executor, order_id) = (&shop.executor, task.aggregate_id);
    let order = executor.load::<Order>(order_id).await?.aggregate;
    let Some(placed) = order.placed() else {
        return Ok(Outcome::Done);
    };
    let metadata = Metadata {
        request_id: task.request_id.clone(),
        correlation_id: task.correlation_id.clone(),
        causation_position: Some(task.position),
        actor: Some("process:settle".into()),
        traceparent: None,
    };
    let settled = ask_and_apply(executor, &*shop.provider, order_id, metadata.clone()).await?;
    let now = Utc::now();
    let waits = order.awaits_payment();
    match settled {
        Settled::Unknown | Settled::Over => Ok(Outcome::Done),
        Settled::Open | Settled::NoPayment if waits && now < placed.expires_at => {
            // The task is about the event that placed the order.
            let before = Position::new(task.position.get().saturating_sub(1));
            let placing = executor.log().read_after(before, 1).await?;
            let placed_at = placing.first().map_or(now, |event| event.recorded_at);
            Ok(Outcome::Later(next_look(placed_at, now, placed.expires_at)))
        }
        // Nothing to end at the provider: a payment that is started after this finds the order expired.
        Settled::NoPayment => {
            if waits {
                execute(
                    executor,
                    order_id,
                    "expire",
                    OrderCommand::Expire { now },
                    metadata,
                )
                .await?;
            }
            Ok(Outcome::Done)
        }
        // The payment ends first, so that nobody can pay for what is over. If the customer was faster, the provider
        // says so, and the order is paid.
        Settled::Open => {
            let once = format!("expire-{}", order_id.simple());
            let ended = shop.provider.cancel(&placed.payment_reference, &once).await?;
            match apply(executor, order_id, placed.expires_at, ended, metadata).await? {
                Settled::Open => Ok(Outcome::Later(now + TimeDelta::seconds(2))),
                _ => Ok(Outcome::Done),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::next_look;
    use chrono::{TimeDelta, TimeZone, Utc};

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
