//! Collects a fulfilled order's money, or records that it can't be collected.

use domain::{Order, PaymentBooks};
use event_store::Task;
use payments::{Error, Payment, PaymentProvider};
use uuid::Uuid;

use super::context::ProcessContext;
use super::reconcile::books;
use super::step::{self, Outcome, StepError};

/// Collects what is due once, also after a failure in between: the provider accepts a key once, and its books are read
/// before each capture. The books decide about a refusal; one that they do not explain is tried again.
pub(super) async fn capture(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (cashier, order_id) = (&context.cashier, task.aggregate_id);
    let order = cashier.command_handler.load::<Order>(order_id).await?;
    let Some((provider, payment_id)) = cashier.providers.payment_of(&order.aggregate)? else {
        return Ok(Outcome::Done);
    };
    if order.aggregate.written_off() {
        return release_rest(provider, order_id, payment_id).await;
    }
    if order.aggregate.captured() || order.aggregate.paid(order_id).is_none() {
        return Ok(Outcome::Done);
    }
    let mut payment = provider.get(payment_id).await?;
    if let Some(amount_ore) = order.aggregate.to_collect(&books(&payment)) {
        let once = key("capture", order_id, payment.captured_ore + payment.cancelled_ore);
        payment = match provider.capture(payment_id, amount_ore, &once).await {
            Ok(payment) => payment,
            Err(refused @ (Error::Refused { .. } | Error::NotFound)) => {
                tracing::warn!(%order_id, error = %refused, "a capture was refused");
                provider.get(payment_id).await?
            }
            Err(error) => return Err(error.into()),
        };
    }
    let now = books(&payment);
    cashier
        .apply(order_id, &order, payment, step::metadata(task))
        .await?;
    still_to_collect(&order.aggregate, &now)
}

/// An error while the books show money that can still be collected: the task is tried again.
fn still_to_collect(order: &Order, books: &PaymentBooks) -> Result<Outcome, StepError> {
    match order.to_collect(books) {
        None => Ok(Outcome::Done),
        Some(missing_ore) => Err(StepError::Amount {
            expected_ore: books.captured_ore + missing_ore,
            found_ore: books.captured_ore,
        }),
    }
}

/// The money was given up: what is left of the reservation goes back to the customer.
async fn release_rest(
    provider: &dyn PaymentProvider,
    order_id: Uuid,
    payment_id: &str,
) -> Result<Outcome, StepError> {
    let left = |payment: &Payment| payment.collectable_ore() > 0;
    let mut payment = provider.get(payment_id).await?;
    if left(&payment) {
        let once = key("release", order_id, payment.captured_ore);
        payment = provider.release(payment_id, &once).await?;
    }
    if left(&payment) {
        return Err(StepError::Amount {
            expected_ore: 0,
            found_ore: payment.collectable_ore(),
        });
    }
    Ok(Outcome::Done)
}

/// The key of one change. It differs whenever the books have moved, so that a key used before for another amount does not
/// block this one. At most 50 characters: sums stay below 10 digits.
pub(super) fn key(what: &str, order_id: Uuid, moved_ore: i64) -> String {
    let id = order_id.simple();
    match moved_ore {
        0 => format!("{what}-{id}"),
        moved => format!("{what}-{id}-{moved}"),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::key;

    #[test]
    fn keys_fit_and_differ_by_what_has_moved() {
        let id = Uuid::from_u128(7);
        assert_ne!(key("capture", id, 0), key("capture", id, 1));
        for what in ["capture", "refund", "release"] {
            assert!(key(what, id, 999_999_999).len() <= payments::MAX_IDEMPOTENCY_KEY);
        }
    }
}
