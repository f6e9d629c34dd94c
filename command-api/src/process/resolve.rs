//! Money that can't be collected waits for a decision.

use chrono::{TimeDelta, Utc};
use domain::Order;
use event_store::Task;

use super::context::ProcessContext;
use super::step::{Outcome, StepError};

/// The task exists while it is undecided what becomes of money that can't be collected. An alert counts these tasks.
pub(super) async fn await_resolution(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let order = context
        .cashier
        .command_handler
        .load::<Order>(task.aggregate_id)
        .await?
        .aggregate;
    match order.capture_failure() {
        None => Ok(Outcome::Done),
        Some(failure) => {
            let (order_id, reason) = (task.aggregate_id, failure.reason);
            tracing::warn!(%order_id, ?reason, "licenses without collected money wait for a decision");
            Ok(Outcome::Later(Utc::now() + TimeDelta::minutes(10)))
        }
    }
}
