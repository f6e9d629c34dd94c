//! What an order remembers of its events, and what follows from it for readers of the order.

use std::collections::BTreeMap;

use events::{CaptureAction, CaptureFailed, LineRefund, OrderEvent, OrderPlaced, RefundFailed, RevokeReason};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{OrderStatus, PaymentProvider, RefundState, Word as _};

use super::paid::PaidOrder;

/// A customer's purchase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// None before the order is placed.
    pub(super) status: Option<OrderStatus>,
    pub(super) placed: Option<OrderPlaced>,
    /// The payment that was recorded first.
    pub(super) payment_id: Option<String>,
    pub(super) redirect_url: Option<String>,
    /// Whether all that is due was collected.
    pub(super) captured: bool,
    /// Whether its licenses were issued.
    pub(super) issued: bool,
    /// Sums of the provider's books, as last recorded.
    pub(super) captured_ore: i64,
    pub(super) refunded_ore: i64,
    /// Why the money can't be collected, until that is decided.
    pub(super) failure: Option<CaptureFailed>,
    /// What was decided last about money that could not be collected.
    pub(super) resolved: Option<CaptureAction>,
    /// The lines whose money goes back or went back.
    pub(super) refunds: BTreeMap<u16, RefundOfLine>,
    /// How far the money is on its way back, if some has to go.
    pub(super) refund: Option<RefundState>,
    /// How often lines were refunded, or a refund tried again.
    pub(super) refund_round: u32,
    /// Whether all of the money has to go back, whatever the lines cost.
    pub(super) all_back: bool,
}

/// The refund of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefundOfLine {
    pub(super) amount_ore: i64,
    pub(super) refunded: bool,
}

impl Order {
    /// Where it stands; none before it is placed.
    pub const fn status(&self) -> Option<OrderStatus> {
        self.status
    }

    /// What was ordered.
    pub fn placed(&self) -> Option<&OrderPlaced> {
        self.placed.as_ref()
    }

    /// The id of its payment at the provider. Vipps takes the reference that was decided with the order. Every other
    /// provider gives an id, which is known once it is recorded.
    pub fn payment_id(&self) -> Option<&str> {
        let decided = self
            .placed()
            .filter(|placed| placed.payment_provider == PaymentProvider::Vipps.as_str())
            .map(|placed| placed.payment_reference.as_str());
        self.payment_id.as_deref().or(decided)
    }

    /// Whether this is the id of its payment.
    pub(super) fn is_payment(&self, payment_id: &str) -> bool {
        self.payment_id() == Some(payment_id)
    }

    /// Where the customer pays, once the provider was asked.
    pub fn redirect_url(&self) -> Option<&str> {
        self.redirect_url.as_deref()
    }

    /// Whether all that is due was collected.
    pub const fn captured(&self) -> bool {
        self.captured
    }

    /// What was collected in all and what of it was paid back, in øre, as last recorded.
    pub const fn books_ore(&self) -> (i64, i64) {
        (self.captured_ore, self.refunded_ore)
    }

    /// Whether its licenses were issued.
    pub const fn issued(&self) -> bool {
        self.issued
    }

    /// Why the money can't be collected, as long as nothing was decided about it.
    pub const fn capture_failure(&self) -> Option<&CaptureFailed> {
        self.failure.as_ref()
    }

    /// Whether the rest of the money was given up.
    pub fn written_off(&self) -> bool {
        self.resolved == Some(CaptureAction::WriteOff)
    }

    /// Whether it ended, or is about to end, without a license that is valid.
    pub const fn over(&self) -> bool {
        use OrderStatus::{Cancelled, Expired, RefundPending, Refunded};
        matches!(self.status, Some(Cancelled | Expired | RefundPending | Refunded))
    }

    /// Its licenses, if they were issued and may no longer be valid, and why.
    pub fn revoked_licenses(&self) -> Option<(RevokeReason, impl Iterator<Item = Uuid> + '_)> {
        let reason = match self.resolved {
            Some(CaptureAction::Revoke) => RevokeReason::NotCollected,
            _ => RevokeReason::Refunded,
        };
        let over = self.issued && self.over();
        let placed = self.placed().filter(|_| over)?;
        Some((reason, placed.lines.iter().map(|line| line.license_id)))
    }

    /// Whether the customer may still pay.
    pub const fn awaits_payment(&self) -> bool {
        matches!(
            self.status,
            Some(OrderStatus::Placed | OrderStatus::PaymentPending)
        )
    }

    /// The order from which licenses may be issued, if it is paid.
    pub fn paid(&self, order_id: Uuid) -> Option<PaidOrder> {
        let paid = matches!(
            self.status,
            Some(OrderStatus::Paid | OrderStatus::Fulfilled | OrderStatus::CaptureFailed)
        );
        self.placed().filter(|_| paid).map(|placed| PaidOrder {
            order_id,
            placed: placed.clone(),
        })
    }
}

impl Order {
    pub(super) fn evolve(&mut self, event: OrderEvent) {
        let status = match event {
            OrderEvent::OrderPlaced(order) => {
                self.placed = Some(order);
                OrderStatus::Placed
            }
            OrderEvent::PaymentRequested(requested) => {
                self.payment_id = Some(requested.reference);
                self.redirect_url = Some(requested.redirect_url);
                OrderStatus::PaymentPending
            }
            OrderEvent::OrderPaid(_) => OrderStatus::Paid,
            OrderEvent::OrderFulfilled(_) => {
                self.issued = true;
                OrderStatus::Fulfilled
            }
            OrderEvent::PaymentCaptured(captured) => {
                self.captured = true;
                self.captured_ore = captured.captured_ore;
                self.failure = None;
                match self.status {
                    Some(OrderStatus::CaptureFailed) => OrderStatus::Fulfilled,
                    Some(status) => status,
                    None => return,
                }
            }
            OrderEvent::CaptureFailed(failed) => {
                (self.captured_ore, self.refunded_ore) = (failed.collected_ore, failed.refunded_ore);
                self.failure = Some(failed);
                self.resolved = None;
                OrderStatus::CaptureFailed
            }
            OrderEvent::CaptureResolved(resolved) => {
                self.failure = None;
                self.resolved = Some(resolved.action);
                match resolved.action {
                    CaptureAction::CollectRest | CaptureAction::WriteOff => OrderStatus::Fulfilled,
                    CaptureAction::Revoke => self.all_has_to_go_back(),
                }
            }
            OrderEvent::OrderHolderErased(erased) => {
                self.holder_erased(&erased);
                return;
            }
            OrderEvent::PaymentReconciled(found) => {
                (self.captured_ore, self.refunded_ore) = (found.captured_ore, found.refunded_ore);
                return;
            }
            OrderEvent::OrderCancelled(_) | OrderEvent::OrderCancelledByCustomer(_) => OrderStatus::Cancelled,
            OrderEvent::OrderExpired(_) => OrderStatus::Expired,
            OrderEvent::RefundRequested(_) => self.all_has_to_go_back(),
            OrderEvent::LineRefundsRequested(requested) => {
                let ends_order = requested.ends_order;
                self.begin_refund(requested.lines);
                if !ends_order {
                    return;
                }
                OrderStatus::RefundPending
            }
            OrderEvent::RefundRetried(_) => return self.begin_refund(Vec::new()),
            OrderEvent::RefundFailed(failed) => return self.fail_refund(&failed),
            OrderEvent::LinesRefunded(back) => {
                (self.captured_ore, self.refunded_ore) = (back.captured_ore, back.refunded_ore);
                return self.end_refund();
            }
            OrderEvent::OrderRefunded(refunded) => {
                self.refunded_ore = refunded.refunded_ore;
                self.failure = None;
                self.end_refund();
                OrderStatus::Refunded
            }
        };
        self.status = Some(status);
    }

    const fn all_has_to_go_back(&mut self) -> OrderStatus {
        self.all_back = true;
        self.refund = Some(RefundState::Pending);
        OrderStatus::RefundPending
    }

    /// What had failed is tried again with the new lines.
    fn begin_refund(&mut self, lines: Vec<LineRefund>) {
        self.refund = Some(RefundState::Pending);
        self.refund_round += 1;
        let open = |refund: LineRefund| {
            let amount_ore = refund.amount_ore;
            let refunded = false;
            (refund.line, RefundOfLine { amount_ore, refunded })
        };
        self.refunds.extend(lines.into_iter().map(open));
    }

    fn fail_refund(&mut self, failed: &RefundFailed) {
        (self.captured_ore, self.refunded_ore) = (failed.captured_ore, failed.refunded_ore);
        self.refund = Some(RefundState::Failed);
    }

    /// Of everything that was asked for: the books show one sum.
    fn end_refund(&mut self) {
        self.refund = Some(RefundState::Refunded);
        for refund in self.refunds.values_mut() {
            refund.refunded = true;
        }
    }
}
