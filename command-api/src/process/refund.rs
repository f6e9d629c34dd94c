//! Money that has to go back goes back, or it is stated that it does not.

use chrono::{TimeDelta, Utc};
use domain::{OrderCommand, RefundStep};
use event_store::{Loaded, Task};
use events::RefundFailure;
use payments::{Error, Payment, PaymentProvider};
use uuid::Uuid;
use vocabulary::RefundState;

use super::capture::key as change_key;
use super::context::ProcessContext;
use super::reconcile::books;
use super::step::{self, Outcome, StepError};

/// Attempts after which a refund that the provider refuses is given up, until staff asks again. An outage is no refusal:
/// then the task is tried until the provider answers.
const ATTEMPTS: u32 = 6;
/// Changes of a payment in one attempt: collect, pay back, release.
const STEPS: u32 = 3;

type Order = Loaded<domain::Order>;

/// Pays back and releases what has to go back. Each step follows from the provider's books, so beginning again moves
/// nothing twice.
pub(super) async fn refund(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    let order = cashier.command_handler.load::<domain::Order>(order_id).await?;
    let open = order.aggregate.refund_state() == Some(RefundState::Pending);
    let payment = cashier.providers.payment_of(&order.aggregate)?;
    let Some((provider, payment_id)) = payment.filter(|_| open) else {
        return Ok(Outcome::Done);
    };
    let mut payment = provider.get(payment_id).await?;
    for _ in 0..STEPS {
        match order.aggregate.refund_step(&books(&payment)) {
            RefundStep::Done => {
                cashier
                    .apply(order_id, &order, payment, step::metadata(task))
                    .await?;
                return Ok(Outcome::Done);
            }
            // The capture comes first: at once, or when it was decided what becomes of it.
            RefundStep::Wait if order.aggregate.capture_failure().is_some() => {
                return Ok(Outcome::Later(Utc::now() + TimeDelta::minutes(1)));
            }
            RefundStep::Wait => return Ok(Outcome::Later(Utc::now() + TimeDelta::seconds(1))),
            next => match change(provider, order_id, &order, &payment, next).await {
                Ok(changed) => payment = changed,
                Err(error) => return refused(context, task, &order, error).await,
            },
        }
    }
    let moved_nothing = StepError::Amount {
        expected_ore: 0,
        found_ore: payment.collectable_ore() + payment.kept_ore(),
    };
    give_up_or(
        context,
        task,
        &order,
        &payment,
        RefundFailure::NotDone,
        moved_nothing,
    )
    .await
}

async fn change(
    provider: &dyn PaymentProvider,
    order_id: Uuid,
    order: &Order,
    payment: &Payment,
    next: RefundStep,
) -> Result<Payment, Error> {
    let payment_id = &payment.payment_id;
    match next {
        RefundStep::Collect(amount_ore) => {
            let once = change_key("capture", order_id, payment.captured_ore + payment.cancelled_ore);
            provider.capture(payment_id, amount_ore, &once).await
        }
        RefundStep::PayBack(amount_ore) => {
            let once = change_key(&of_round("refund", "r", order), order_id, payment.refunded_ore);
            provider.refund(payment, amount_ore, &once).await
        }
        RefundStep::Release => {
            let once = change_key(&of_round("release", "l", order), order_id, payment.captured_ore);
            provider.release(payment_id, &once).await
        }
        RefundStep::Wait | RefundStep::Done => Ok(payment.clone()),
    }
}

/// A provider may repeat its refusal under the same key, so each round of refunds has its own. Short, because a key has at
/// most 50 characters.
fn of_round(first: &str, later: &str, order: &Order) -> String {
    match order.aggregate.refund_round() {
        0 => first.to_owned(),
        round => format!("{later}{round}"),
    }
}

/// A step failed: the books are read again, because they may have changed meanwhile.
async fn refused(
    context: &ProcessContext,
    task: &Task,
    order: &Order,
    error: Error,
) -> Result<Outcome, StepError> {
    let reason = match &error {
        Error::Unavailable(_) => return Err(error.into()),
        Error::Refused { .. } => RefundFailure::Refused,
        Error::NotFound => RefundFailure::PaymentUnknown,
        Error::Protocol(_) => RefundFailure::NotUnderstood,
    };
    let Some((provider, payment_id)) = context.cashier.providers.payment_of(&order.aggregate)? else {
        return Err(error.into());
    };
    let payment = provider.get(payment_id).await?;
    give_up_or(context, task, order, &payment, reason, error.into()).await
}

/// The error, so that the task is tried again; after several attempts the failure is recorded and the task ends.
async fn give_up_or(
    context: &ProcessContext,
    task: &Task,
    order: &Order,
    payment: &Payment,
    reason: RefundFailure,
    error: StepError,
) -> Result<Outcome, StepError> {
    if task.attempts < ATTEMPTS {
        return Err(error);
    }
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    let command = OrderCommand::RecordRefundFailure {
        books: books(payment),
        reason,
    };
    cashier
        .give(order_id, order, "refund-failed", command, step::metadata(task))
        .await?;
    tracing::error!(%order_id, error = %error, "a refund is given up until staff asks again");
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use domain::Order;
    use event_store::Loaded;
    use uuid::Uuid;

    use super::{change_key, of_round};

    #[test]
    fn the_keys_of_every_round_fit_and_differ() {
        let id = Uuid::from_u128(7);
        let order = Loaded {
            aggregate: Order::default(),
            version: 0,
            correlation_id: None,
        };
        assert_eq!(of_round("refund", "r", &order), "refund");
        for what in ["refund", "release", "r99999", "l99999"] {
            assert!(change_key(what, id, 999_999_999).len() <= payments::MAX_IDEMPOTENCY_KEY);
        }
    }
}
