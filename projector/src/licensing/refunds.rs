//! What goes back of an order, in its row.

use read_model::RefundState;
use read_model::write::OrderRow;
use serde::{Deserialize, Serialize};

use super::facts;
use crate::misfit::Misfit;

/// A line's refund as the table holds it.
#[derive(Serialize, Deserialize)]
struct LineRefund {
    line: u16,
    amount_ore: i64,
    state: RefundState,
}

/// The money of these lines has to go back, too.
pub(super) fn requested(row: &mut OrderRow, lines: &[events::LineRefund]) -> Result<(), Misfit> {
    let new = lines.iter().map(|line| LineRefund {
        line: line.line,
        amount_ore: line.amount_ore,
        state: RefundState::Pending,
    });
    let mut refunds = read(row)?;
    refunds.extend(new);
    row.refunds = facts::column(&refunds);
    // What had failed is tried again with the new lines.
    all(row, RefundState::Pending)
}

/// All that is not refunded yet is so far on its way.
pub(super) fn all(row: &mut OrderRow, state: RefundState) -> Result<(), Misfit> {
    row.refund_state = Some(state.into());
    let mut refunds = read(row)?;
    for refund in &mut refunds {
        if refund.state != RefundState::Refunded {
            refund.state = state;
        }
    }
    row.refunds = facts::column(&refunds);
    Ok(())
}

fn read(row: &OrderRow) -> Result<Vec<LineRefund>, Misfit> {
    serde_json::from_str(row.refunds.0.get()).map_err(|_| Misfit::OutOfRange("refunds"))
}
