//! A paid order gets its licenses.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Utc;
use domain::{License, LicenseCommand, Order, OrderCommand, Refusal};
use event_store::{CommandError, Guard, Task, Unit};
use futures_util::future::try_join_all;
use metrics::counter;
use serde_json::json;
use uuid::Uuid;

use super::context::ProcessContext;
use super::step::{Outcome, StepError, call, key, metadata};
use crate::metrics::SUSPENDED_ORDERS_TOTAL;
use crate::rule_six;

/// How often one attempt looks for suspensions, when others are imposed meanwhile.
const LOOKS: usize = 5;

/// Issues every line's license and notes on the order that all are there, as one command: an order never has some of its
/// licenses. Ids follow from order and line, so beginning again issues nothing twice.
///
/// The command relies on the suspensions that were seen before it: no license is recorded after a suspension of its holder
/// or vehicle that is in force. The money of such an order goes back.
pub(super) async fn fulfill(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (command_handler, order_id) = (&context.cashier.command_handler, task.aggregate_id);
    let order = command_handler.load::<Order>(order_id).await?.aggregate;
    let Some(paid) = order.paid(order_id) else {
        // The money is on its way back instead.
        return Ok(Outcome::Done);
    };
    let subjects = paid.subjects(&context.holder_key);
    // The first attempt creates the licenses without loading them. If one exists, left by an older release, the attempt
    // conflicts, and the repetition loads each license.
    let may_exist = AtomicBool::new(false);
    let mut looks = 0;
    loop {
        looks += 1;
        let seen = rule_six::look(command_handler, &subjects, Utc::now()).await?;
        if !seen.suspended.is_empty() {
            return refuse(context, task).await;
        }
        let issued = command_handler
            .together(key(task, "fulfill"), metadata(task), |unit| {
                let may_exist = may_exist.swap(true, Ordering::Relaxed);
                issue_all(unit, order_id, seen.guards.clone(), may_exist)
            })
            .await;
        match issued {
            Err(CommandError::ClaimTaken(taken)) if rule_six::outdated(&taken) && looks < LOOKS => {}
            issued => {
                issued?;
                tracing::info!(%order_id, "licenses issued");
                return Ok(Outcome::Done);
            }
        }
    }
}

async fn issue_all(
    unit: Unit,
    order_id: Uuid,
    guards: Vec<Guard>,
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
    for guard in guards {
        unit.guard(guard);
    }
    Ok(json!({"status": order.aggregate.status()}))
}

/// The money goes back; the planner plans that from the event. An order that has its licenses keeps them.
async fn refuse(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let order_id = task.aggregate_id;
    let call = call(
        order_id,
        OrderCommand::RefuseSuspended,
        key(task, "suspended"),
        task,
    );
    let command_handler = &context.cashier.command_handler;
    let refused = command_handler.execute::<Order>(call, |_, _| json!({})).await?;
    if !refused.replayed {
        counter!(SUSPENDED_ORDERS_TOTAL).increment(1);
        tracing::info!(%order_id, "a suspended holder's or vehicle's order is paid back");
    }
    Ok(Outcome::Done)
}
