//! Money that has to go back goes back.

use domain::{Order, OrderCommand, OrderStatus};
use event_store::Task;
use serde_json::json;

use super::Shop;
use super::step::{Outcome, StepError, call, key};

/// Pays back what was collected and releases the rest. Asks the provider what it has before it moves anything, so that
/// beginning again moves nothing twice.
pub(super) async fn refund(shop: &Shop, task: &Task) -> Result<Outcome, StepError> {
    let order = shop.executor.load::<Order>(task.aggregate_id).await?.aggregate;
    let Some(placed) = order
        .placed()
        .filter(|_| order.status() == OrderStatus::RefundPending)
    else {
        return Ok(Outcome::Done);
    };
    let (reference, id) = (&placed.payment_reference, task.aggregate_id.simple());
    let mut payment = shop.provider.get(reference).await?;
    let collected = payment.captured_ore - payment.refunded_ore;
    if collected > 0 {
        payment = shop
            .provider
            .refund(reference, collected, &format!("refund-{id}"))
            .await?;
    }
    let held =
        |payment: &payments::Payment| payment.authorized_ore - payment.captured_ore - payment.cancelled_ore;
    if held(&payment) > 0 {
        payment = shop.provider.cancel(reference, &format!("release-{id}")).await?;
    }
    let left = held(&payment) + payment.captured_ore - payment.refunded_ore;
    if left != 0 {
        return Err(StepError::Amount {
            expected_ore: 0,
            found_ore: left,
        });
    }
    let command = OrderCommand::RecordRefund {
        released_ore: payment.cancelled_ore,
        refunded_ore: payment.refunded_ore,
    };
    let call = call(task.aggregate_id, command, key(task, "refund"), task);
    shop.executor.execute::<Order>(call, |_, _| json!({})).await?;
    tracing::info!(order_id = %task.aggregate_id, "payment refunded");
    Ok(Outcome::Done)
}
