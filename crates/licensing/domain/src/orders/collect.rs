//! The money of issued licenses: collected in full, given up, or taken back, by the provider's books.
//!
//! Only the books decide that money can't be collected: a refusal may pass, the sums do not. What then happens is the
//! policy's or a person's decision, and an event of its own.

use std::collections::BTreeMap;

use events::{
    CaptureAction, CaptureFailed, CaptureFailure, CaptureResolved, OrderEvent, OrderPlaced, OrderRefunded,
    PaymentCaptured, PaymentReconciled,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::{OrderStatus, RefundState};

use super::state::Order;
use crate::refusal::Refusal;
use crate::typed::reason;

/// A payment in the provider's books, in øre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentBooks {
    /// The payment's reference.
    pub reference: String,
    /// What was collected in all.
    pub captured_ore: i64,
    /// What of it was paid back.
    pub refunded_ore: i64,
    /// What was given up of the reservation.
    pub cancelled_ore: i64,
    /// What can still be collected.
    pub collectable_ore: i64,
}

/// What to do when money can't be collected, by reason: data, with a version that the events name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturePolicy {
    /// Names this policy.
    pub version: String,
    /// What to do at once. A reason that is not here waits for a person.
    pub by_reason: BTreeMap<CaptureFailure, CaptureAction>,
}

/// What a person decides about money that can't be collected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// What happens.
    pub action: CaptureAction,
    /// Why.
    #[schema(min_length = 1, max_length = 500, example = "Paid at the counter")]
    pub reason: String,
}

impl Order {
    /// How much to ask the provider for now, in øre. `None` when all is collected, or when the books show something that
    /// the order must record first ([`OrderCommand::ReconcilePayment`](crate::OrderCommand::ReconcilePayment)).
    pub fn to_collect(&self, books: &PaymentBooks) -> Option<i64> {
        let placed = self.placed().filter(|_| self.collects())?;
        let missing = self.retained_ore(placed) - books.captured_ore;
        let known = books.captured_ore == self.captured_ore;
        let rest = self.resolved == Some(CaptureAction::CollectRest);
        let whole = books.captured_ore == 0 && books.collectable_ore >= missing;
        let amount = missing.min(books.collectable_ore);
        (known && (rest || whole) && amount > 0).then_some(amount)
    }

    /// Whether its money is still to be collected.
    fn collects(&self) -> bool {
        self.status == Some(OrderStatus::Fulfilled) && !self.captured && !self.written_off()
    }

    /// The events that follow from the books: for issued licenses, and for money that has to go back. None before licenses
    /// are issued.
    pub(super) fn reconcile(
        &self,
        placed: &OrderPlaced,
        books: &PaymentBooks,
        policy: &CapturePolicy,
    ) -> Result<Vec<OrderEvent>, Refusal> {
        if !self.is_payment(&books.reference) {
            return Err(Refusal::PaymentMismatch);
        }
        match self.status {
            Some(OrderStatus::Fulfilled | OrderStatus::CaptureFailed) => {}
            Some(OrderStatus::RefundPending) => return Ok(self.refunded_by(books)),
            _ => return Ok(Vec::new()),
        }
        let all_back =
            books.captured_ore > 0 && books.refunded_ore >= books.captured_ore && books.collectable_ore == 0;
        if all_back {
            return Ok([self.moved(books), Some(refunded(books))]
                .into_iter()
                .flatten()
                .collect());
        }
        if self.captured || self.written_off() {
            let refunded = self.refunded_by(books);
            // What moves while the shop pays back is stated when it is done.
            if !refunded.is_empty() || self.refund == Some(RefundState::Pending) {
                return Ok(refunded);
            }
            return Ok(self.moved(books).into_iter().collect());
        }
        let due = self.retained_ore(placed);
        if (due..=placed.total_ore).contains(&books.captured_ore) {
            let captured = PaymentCaptured {
                reference: books.reference.clone(),
                captured_ore: books.captured_ore,
            };
            let moved = books.refunded_ore != self.refunded_ore && self.refund != Some(RefundState::Pending);
            let back = moved.then(|| reconciled(books));
            return Ok([Some(captured.into()), back].into_iter().flatten().collect());
        }
        if self.to_collect(books).is_some() {
            return Ok(Vec::new());
        }
        let failed = failure(due, placed, books);
        if self.failure.as_ref() == Some(&failed) {
            return Ok(Vec::new());
        }
        let by_policy = policy.by_reason.get(&failed.reason).and_then(|action| {
            let resolved = resolved(*action, &failed).ok()?;
            Some(CaptureResolved {
                policy_version: Some(policy.version.clone()),
                ..resolved
            })
        });
        let events = [Some(failed.into()), by_policy.map(Into::into)];
        Ok(events.into_iter().flatten().collect())
    }

    /// Money that moved outside the shop since the books were last recorded.
    fn moved(&self, books: &PaymentBooks) -> Option<OrderEvent> {
        let known = (self.captured_ore, self.refunded_ore);
        (known != (books.captured_ore, books.refunded_ore)).then(|| reconciled(books))
    }

    pub(super) fn resolve(&self, resolution: &Resolution) -> Result<OrderEvent, Refusal> {
        let reason = reason(&resolution.reason)?;
        let failure = self.failure.as_ref().ok_or(Refusal::OrderState)?;
        let resolved = resolved(resolution.action, failure)?;
        Ok(CaptureResolved {
            reason: Some(reason),
            ..resolved
        }
        .into())
    }
}

/// Why the books do not let the order's money be collected.
fn failure(due_ore: i64, placed: &OrderPlaced, books: &PaymentBooks) -> CaptureFailed {
    let missing = due_ore - books.captured_ore;
    let reason = if books.captured_ore > placed.total_ore {
        CaptureFailure::CollectedTooMuch
    } else if books.collectable_ore < missing {
        CaptureFailure::ReservationGone
    } else {
        CaptureFailure::PartlyCollected
    };
    CaptureFailed {
        reference: books.reference.clone(),
        reason,
        due_ore,
        collected_ore: books.captured_ore,
        refunded_ore: books.refunded_ore,
        collectable_ore: books.collectable_ore,
    }
}

/// A decision as an event. The rest can be collected only while there is one: so deciding it again and again ends.
fn resolved(action: CaptureAction, failure: &CaptureFailed) -> Result<CaptureResolved, Refusal> {
    let missing = failure.due_ore - failure.collected_ore;
    if action == CaptureAction::CollectRest && missing.min(failure.collectable_ore) <= 0 {
        return Err(Refusal::NothingToCollect);
    }
    let written_off_ore = match action {
        CaptureAction::WriteOff => missing.max(0),
        CaptureAction::CollectRest | CaptureAction::Revoke => 0,
    };
    Ok(CaptureResolved {
        action,
        policy_version: None,
        reason: None,
        written_off_ore,
    })
}

fn reconciled(books: &PaymentBooks) -> OrderEvent {
    PaymentReconciled {
        reference: books.reference.clone(),
        captured_ore: books.captured_ore,
        refunded_ore: books.refunded_ore,
    }
    .into()
}

/// All that has to go back is back.
pub(super) fn refunded(books: &PaymentBooks) -> OrderEvent {
    OrderRefunded {
        reference: books.reference.clone(),
        released_ore: books.cancelled_ore,
        refunded_ore: books.refunded_ore,
    }
    .into()
}
