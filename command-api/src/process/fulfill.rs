//! A paid order gets its licenses.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::{License, LicenseCommand, Order, OrderCommand, Refusal};
use event_store::{CommandError, Task, Unit};
use futures_util::future::try_join_all;
use serde_json::json;
use uuid::Uuid;

use super::context::ProcessContext;
use super::step::{Outcome, StepError, key, metadata};

/// Issues every line's license and notes on the order that all are there, as one command: an order never has some of its
/// licenses. Ids follow from order and line, so beginning again issues nothing twice.
pub(super) async fn fulfill(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (command_handler, order_id) = (&context.cashier.command_handler, task.aggregate_id);
    let order = command_handler.load::<Order>(order_id).await?.aggregate;
    if order.paid(order_id).is_none() {
        // The money is on its way back instead.
        return Ok(Outcome::Done);
    }
    // The first attempt creates the licenses without loading them. If one exists, left by an older release, the attempt
    // conflicts, and the repetition loads each license.
    let may_exist = AtomicBool::new(false);
    command_handler
        .together(key(task, "fulfill"), metadata(task), |unit| {
            issue_all(unit, order_id, may_exist.swap(true, Ordering::Relaxed))
        })
        .await?;
    tracing::info!(%order_id, "fulfilled, or on its way back");
    Ok(Outcome::Done)
}

async fn issue_all(
    unit: Unit,
    order_id: Uuid,
    may_exist: bool,
) -> Result<serde_json::Value, CommandError<Refusal>> {
    let mut order = unit.load::<Order>(order_id).await?;
    let Some(paid) = order.aggregate.paid(order_id) else {
        // It turned to a refund after it was read outside of this unit: nothing is issued, and the task is done.
        return Ok(json!({"status": order.aggregate.status()}));
    };
    let licenses = paid.license_ids().map(async |(line, license_id)| {
        let license = if may_exist {
            unit.load::<License>(license_id).await?
        } else {
            unit.create::<License>(license_id)
        };
        Ok::<_, event_store::Error>((line, license))
    });
    for (line, mut license) in try_join_all(licenses).await? {
        let order = paid.clone();
        unit.handle(&mut license, LicenseCommand::Issue { order, line })
            .await?;
    }
    unit.handle(&mut order, OrderCommand::Fulfill).await?;
    Ok(json!({"status": order.aggregate.status()}))
}
