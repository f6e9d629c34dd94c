//! A paid order gets its licenses.

use domain::{License, LicenseCommand, Order, OrderCommand};
use event_store::{Call, Task};
use futures_util::future::try_join_all;
use serde_json::json;

use super::Shop;
use super::step::{Outcome, StepError, call, key};

/// Issues every line's license, whose id follows from order and line, then notes that all are there. Dying anywhere
/// in between and beginning again issues nothing twice.
pub(super) async fn fulfill(shop: &Shop, task: &Task) -> Result<Outcome, StepError> {
    let executor = &shop.cashier.executor;
    let order = executor.load::<Order>(task.aggregate_id).await?.aggregate;
    let Some(paid) = order.paid(task.aggregate_id) else {
        // The money is on its way back instead.
        return Ok(Outcome::Done);
    };
    try_join_all(paid.license_ids().map(async |(line, license_id)| {
        let command = LicenseCommand::Issue {
            order: paid.clone(),
            line,
        };
        let call = call(license_id, command, key(task, &format!("issue:{line}")), task);
        let respond = |_: &License, _| json!({"license_id": license_id});
        executor
            .execute::<License>(
                Call {
                    creates: true,
                    ..call
                },
                respond,
            )
            .await
    }))
    .await?;
    let call = call(
        task.aggregate_id,
        OrderCommand::Fulfill,
        key(task, "fulfill"),
        task,
    );
    executor
        .execute::<Order>(call, |order, _| json!({"status": order.status().as_str()}))
        .await?;
    tracing::info!(order_id = %task.aggregate_id, "licenses issued");
    Ok(Outcome::Done)
}
