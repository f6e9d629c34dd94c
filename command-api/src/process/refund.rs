//! Money that has to go back goes back, or it is stated that it does not.

use chrono::{TimeDelta, Utc};
use domain::{OrderCommand, PaymentBooks, RefundStep};
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
    let payment = cashier.providers.payment_of(&order.aggregate)?.filter(|_| open);
    let Some(((provider, payment_id), known)) = payment.zip(order.aggregate.known_books()) else {
        return Ok(Outcome::Done);
    };
    let mut payment = match provider.get(payment_id).await {
        Ok(payment) => payment,
        Err(error) => return give_up_or(context, task, &order, known, failure(&error), error.into()).await,
    };
    for _ in 0..STEPS {
        // Nexi pays back later, and can fail then: it is asked again, a bounded number of times in a round.
        if payment.refunding_ore() > 0 {
            return Ok(later(TimeDelta::seconds(5)));
        }
        let failures = u32::try_from(payment.failed_refunds()).unwrap_or(u32::MAX);
        if failures >= ATTEMPTS * order.aggregate.refund_round().max(1) {
            return give_up(context, task, &order, books(&payment), RefundFailure::NotDone).await;
        }
        let next = match order.aggregate.refund_step(&books(&payment)) {
            RefundStep::Done => return done(context, task, &order, payment).await,
            // The capture comes first: at once, or when it was decided what becomes of it.
            RefundStep::Wait if order.aggregate.capture_failure().is_some() => {
                return Ok(later(TimeDelta::minutes(1)));
            }
            RefundStep::Wait => return Ok(later(TimeDelta::seconds(1))),
            next => next,
        };
        match change(provider, order_id, &order, &payment, next).await {
            Ok(changed) => payment = changed,
            Err(error) => {
                // The books are read again: they say what the failure left.
                let read = provider.get(payment_id).await;
                let books = read.map_or(known, |payment| books(&payment));
                return give_up_or(context, task, &order, books, failure(&error), error.into()).await;
            }
        }
    }
    let stuck = StepError::Amount {
        expected_ore: 0,
        found_ore: payment.collectable_ore() + payment.kept_ore(),
    };
    let books = books(&payment);
    give_up_or(context, task, &order, books, Some(RefundFailure::NotDone), stuck).await
}

fn later(pause: TimeDelta) -> Outcome {
    Outcome::Later(Utc::now() + pause)
}

/// Records what the books show. What was asked for meanwhile is done next.
async fn done(
    context: &ProcessContext,
    task: &Task,
    order: &Order,
    payment: Payment,
) -> Result<Outcome, StepError> {
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    cashier
        .apply(order_id, order, payment, step::metadata(task))
        .await?;
    let now = cashier.command_handler.load::<domain::Order>(order_id).await?;
    if now.aggregate.refund_state() == Some(RefundState::Pending) {
        return Ok(later(TimeDelta::seconds(1)));
    }
    tracing::info!(%order_id, "payment refunded");
    Ok(Outcome::Done)
}

/// Why it failed, if trying again is pointless. An outage is over at some time.
const fn failure(error: &Error) -> Option<RefundFailure> {
    match error {
        Error::Unavailable(_) => None,
        Error::Refused { .. } => Some(RefundFailure::Refused),
        Error::NotFound => Some(RefundFailure::PaymentUnknown),
        Error::Protocol(_) => Some(RefundFailure::NotUnderstood),
    }
}

async fn change(
    provider: &dyn PaymentProvider,
    order_id: Uuid,
    order: &Order,
    payment: &Payment,
    next: RefundStep,
) -> Result<Payment, Error> {
    let (round, payment_id) = (order.aggregate.refund_round(), &payment.payment_id);
    match next {
        RefundStep::Collect(amount_ore) => {
            let once = change_key("capture", order_id, payment.captured_ore + payment.cancelled_ore);
            provider.capture(payment_id, amount_ore, &once).await
        }
        RefundStep::PayBack(amount_ore) => {
            let once = change_key(&of_round("refund", "r", round), order_id, payment.refunded_ore);
            provider.refund(payment, amount_ore, &once).await
        }
        RefundStep::Release => {
            let once = change_key(&of_round("release", "l", round), order_id, payment.captured_ore);
            provider.release(payment_id, &once).await
        }
        RefundStep::Wait | RefundStep::Done => Ok(payment.clone()),
    }
}

/// A provider may repeat its refusal under the same key, so each round of refunds has its own. Short, because a key has at
/// most 50 characters.
fn of_round(first: &str, later: &str, round: u32) -> String {
    match round {
        0 => first.to_owned(),
        round => format!("{later}{round}"),
    }
}

/// The error, so that the task is tried again; after several attempts the failure is recorded and the task ends.
async fn give_up_or(
    context: &ProcessContext,
    task: &Task,
    order: &Order,
    books: PaymentBooks,
    reason: Option<RefundFailure>,
    error: StepError,
) -> Result<Outcome, StepError> {
    let Some(reason) = reason.filter(|_| task.attempts >= ATTEMPTS) else {
        return Err(error);
    };
    tracing::error!(order_id = %task.aggregate_id, error = %error, "a refund fails again and again");
    give_up(context, task, order, books, reason).await
}

/// Records that the money does not go back.
async fn give_up(
    context: &ProcessContext,
    task: &Task,
    order: &Order,
    books: PaymentBooks,
    reason: RefundFailure,
) -> Result<Outcome, StepError> {
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    let command = OrderCommand::RecordRefundFailure { books, reason };
    cashier
        .give(order_id, order, "refund-failed", command, step::metadata(task))
        .await?;
    tracing::error!(%order_id, ?reason, "a refund is given up until staff asks again");
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{change_key, of_round};

    #[test]
    fn the_keys_of_every_round_fit_and_differ() {
        let id = Uuid::from_u128(7);
        let keys = |round| [of_round("refund", "r", round), of_round("release", "l", round)];
        assert_eq!(keys(0), ["refund", "release"]);
        assert_ne!(keys(1), keys(2));
        for what in [keys(0), keys(99_999)].concat() {
            assert!(change_key(&what, id, 999_999_999).len() <= payments::MAX_IDEMPOTENCY_KEY);
        }
    }
}
