//! An erased person is forgotten: the ledger outside the database first, then the keys.

use event_store::Task;

use super::context::ProcessContext;
use super::step::{Outcome, StepError};
use crate::erasure::carry_out;

pub(super) async fn erase(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let log = context.cashier.command_handler.log();
    carry_out(log, context.ledger.as_ref(), task.aggregate_id).await?;
    Ok(Outcome::Done)
}
