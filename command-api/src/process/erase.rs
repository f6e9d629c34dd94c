//! An erased person is forgotten: the ledger outside the database first, then the keys.

use event_store::Task;

use super::context::ProcessContext;
use super::step::{Outcome, StepError, metadata};
use crate::erasure::{carry_out, complete};

pub(super) async fn erase(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let command_handler = &context.cashier.command_handler;
    carry_out(command_handler.log(), context.ledger.as_ref(), task.aggregate_id).await?;
    // If that records an erasure, its own task carries it out.
    complete(
        command_handler,
        &context.holder_key,
        task.aggregate_id,
        metadata(task),
    )
    .await?;
    Ok(Outcome::Done)
}
