//! Money that has to go back goes back.

use domain::{Order, OrderCommand};
use event_store::Task;
use serde_json::json;
use vocabulary::OrderStatus;

use super::capture::key as change_key;
use super::context::ProcessContext;
use super::step::{Outcome, StepError, call, key};

/// Pays back what was collected and releases the rest. Asks the provider what it has before it moves anything, so that
/// beginning again moves nothing twice.
pub(super) async fn refund(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (command_handler, provider) = (&context.cashier.command_handler, &context.cashier.provider);
    let order = command_handler.load::<Order>(task.aggregate_id).await?.aggregate;
    let Some(placed) = order
        .placed()
        .filter(|_| order.status() == Some(OrderStatus::RefundPending))
    else {
        return Ok(Outcome::Done);
    };
    let (reference, id) = (&placed.payment_reference, task.aggregate_id);
    let mut payment = provider.get(reference).await?;
    if payment.kept_ore() > 0 {
        let once = change_key("refund", id, payment.refunded_ore);
        payment = provider.refund(&payment, payment.kept_ore(), &once).await?;
    }
    if payment.collectable_ore() > 0 {
        let once = change_key("release", id, payment.captured_ore);
        payment = provider.release(reference, &once).await?;
    }
    let left = payment.collectable_ore() + payment.kept_ore();
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
    command_handler.execute::<Order>(call, |_, _| json!({})).await?;
    tracing::info!(order_id = %task.aggregate_id, "payment refunded");
    Ok(Outcome::Done)
}
