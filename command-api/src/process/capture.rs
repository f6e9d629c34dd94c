//! A fulfilled order's money is collected.

use domain::{Order, OrderCommand};
use event_store::Task;
use serde_json::json;

use super::Shop;
use super::step::{Outcome, StepError, call, key};

/// Collects the order's total once, whatever fails in between: the provider takes a key once, and is asked what it has
/// before it is asked for anything.
pub(super) async fn capture(shop: &Shop, task: &Task) -> Result<Outcome, StepError> {
    let order = shop.executor.load::<Order>(task.aggregate_id).await?.aggregate;
    let Some(placed) = order
        .placed()
        .filter(|_| !order.captured() && order.paid(task.aggregate_id).is_some())
    else {
        return Ok(Outcome::Done);
    };
    let reference = &placed.payment_reference;
    let mut payment = shop.provider.get(reference).await?;
    if payment.captured_ore < placed.total_ore {
        let missing = placed.total_ore - payment.captured_ore;
        let once = format!("capture-{}", task.aggregate_id.simple());
        payment = shop.provider.capture(reference, missing, &once).await?;
    }
    if payment.captured_ore != placed.total_ore {
        return Err(StepError::Amount {
            expected_ore: placed.total_ore,
            found_ore: payment.captured_ore,
        });
    }
    let command = OrderCommand::RecordCapture {
        captured_ore: payment.captured_ore,
    };
    let call = call(task.aggregate_id, command, key(task, "capture"), task);
    shop.executor.execute::<Order>(call, |_, _| json!({})).await?;
    tracing::info!(order_id = %task.aggregate_id, "payment captured");
    Ok(Outcome::Done)
}
