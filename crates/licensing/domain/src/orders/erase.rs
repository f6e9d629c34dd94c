//! Forgetting a holder of an order.

use events::{
    Holder, OrderEvent, OrderExpired, OrderHolderErased, OrderLine, OrderPlaced, RefundReason,
    RefundRequested,
};
use vocabulary::{OrderStatus, RefundState};

use super::state::Order;
use crate::persons::EraseHolder;
use crate::refusal::Refusal;

impl Order {
    pub(super) fn erase_holder(
        &self,
        placed: &OrderPlaced,
        asked: &EraseHolder,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        let holder_id = |line: &OrderLine| {
            let known = line.holder_id;
            known.unwrap_or_else(|| asked.holder_key.holder_id(&line.holder))
        };
        let theirs = |line: &&OrderLine| !line.holder.name.is_erased() && holder_id(line) == asked.holder_id;
        let lines: Vec<u16> = placed.lines.iter().filter(theirs).map(|line| line.line).collect();
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        if self.under_way() && !asked.decided_before {
            return Err(Refusal::ErasureOrderOpen);
        }
        let holder_id = asked.holder_id;
        let mut events = vec![OrderHolderErased { holder_id, lines }.into()];
        // Only where the erasure was decided before: no license is issued without a name.
        match self.status {
            Some(OrderStatus::Placed | OrderStatus::PaymentPending) => events.push(OrderExpired {}.into()),
            Some(OrderStatus::Paid) => events.push(
                RefundRequested {
                    reason: RefundReason::PaidTooLate,
                    reference: placed.payment_reference.clone(),
                    amount_ore: placed.total_ore,
                }
                .into(),
            ),
            _ => {}
        }
        Ok(events)
    }

    /// Whether licenses or money are still to come or to go.
    fn under_way(&self) -> bool {
        match self.status {
            None | Some(OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded) => false,
            Some(OrderStatus::Fulfilled) => {
                let collected = self.captured || self.written_off();
                !collected || self.refund == Some(RefundState::Pending)
            }
            Some(_) => true,
        }
    }

    /// Whether a line's holder is forgotten: such an order gets no licenses any more.
    pub(super) fn has_erased(placed: &OrderPlaced) -> bool {
        placed.lines.iter().any(|line| line.holder.name.is_erased())
    }

    pub(super) fn holder_erased(&mut self, erased: &OrderHolderErased) {
        let lines = self.placed.iter_mut().flat_map(|placed| &mut placed.lines);
        for line in lines.filter(|line| erased.lines.contains(&line.line)) {
            line.holder_id = Some(erased.holder_id);
            line.holder = Holder::erased();
            line.vehicle = None;
        }
    }
}
