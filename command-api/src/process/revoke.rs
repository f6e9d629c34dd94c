//! An order ended after its licenses were issued: they are revoked.

use domain::{License, LicenseCommand, Order};
use event_store::Task;
use futures_util::future::try_join_all;
use serde_json::json;

use super::context::ProcessContext;
use super::step::{Outcome, StepError, call, key};

/// Revokes every license that is still valid. Beginning again revokes nothing twice.
pub(super) async fn revoke(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let command_handler = &context.cashier.command_handler;
    let order = command_handler.load::<Order>(task.aggregate_id).await?.aggregate;
    let Some((reason, licenses)) = order.revoked_licenses() else {
        return Ok(Outcome::Done);
    };
    let revoked = try_join_all(licenses.map(async |license_id| {
        if command_handler
            .load::<License>(license_id)
            .await?
            .aggregate
            .revoked()
        {
            return Ok::<_, StepError>(0_u32);
        }
        let command = LicenseCommand::Revoke { reason };
        let call = call(
            license_id,
            command,
            key(task, &format!("revoke:{license_id}")),
            task,
        );
        command_handler.execute::<License>(call, |_, _| json!({})).await?;
        Ok(1)
    }))
    .await?;
    let revoked: u32 = revoked.into_iter().sum();
    tracing::info!(order_id = %task.aggregate_id, revoked, "licenses revoked");
    Ok(Outcome::Done)
}
