//! Whether an order and its payment tell the same story.

use strum::IntoStaticStr;
use vocabulary::{OrderStatus, RefundState};

use super::collect::PaymentBooks;
use super::state::Order;

/// How an order and the provider's books of its payment differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Difference {
    /// The provider does not know the payment of an order that was paid.
    PaymentMissing,
    /// The payment is paid, declined or over, and the order still waits for it.
    NotRecorded,
    /// The order is over, and the customer can still pay.
    StillOpen,
    /// The order is over, and the provider still holds or keeps the customer's money.
    MoneyHeld,
    /// The provider collected or paid back other sums than the order records.
    OtherSums,
    /// Something that takes seconds is under way.
    UnderWay,
}

impl Difference {
    /// As reports name it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A payment as the provider shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPayment {
    /// Whether the customer can still pay.
    pub open: bool,
    /// The sums.
    pub books: PaymentBooks,
}

impl Order {
    /// Whether nothing that the provider does is expected to change the order any more.
    pub fn settled(&self) -> bool {
        if self.refund == Some(RefundState::Pending) {
            return false;
        }
        match self.status {
            None
            | Some(
                OrderStatus::Placed
                | OrderStatus::PaymentPending
                | OrderStatus::Paid
                | OrderStatus::CaptureFailed
                | OrderStatus::RefundPending,
            ) => false,
            Some(OrderStatus::Fulfilled) => self.captured || self.written_off(),
            Some(OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded) => true,
        }
    }

    /// How the order differs from its payment; `None` for `seen` if the provider does not know it.
    pub fn difference(&self, seen: Option<&SeenPayment>) -> Option<Difference> {
        let Some(SeenPayment { open, books }) = seen else {
            let never_paid = self.awaits_payment()
                || matches!(
                    self.status,
                    None | Some(OrderStatus::Cancelled | OrderStatus::Expired)
                );
            return (!never_paid).then_some(Difference::PaymentMissing);
        };
        let held = books.collectable_ore + books.captured_ore - books.refunded_ore;
        let same = (books.captured_ore, books.refunded_ore) == (self.captured_ore, self.refunded_ore);
        if self.refund == Some(RefundState::Pending) {
            return Some(Difference::UnderWay);
        }
        // A refund that the shop has stopped trying is stated, and counted by itself.
        if self.refund == Some(RefundState::Failed) {
            let done = !self.refunded_by(books).is_empty();
            return done.then_some(Difference::NotRecorded);
        }
        match self.status {
            None => None,
            Some(OrderStatus::Placed | OrderStatus::PaymentPending) => {
                (!open).then_some(Difference::NotRecorded)
            }
            Some(OrderStatus::Cancelled | OrderStatus::Expired) if *open => Some(Difference::StillOpen),
            Some(OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded) => {
                (held > self.kept_of_refunded()).then_some(Difference::MoneyHeld)
            }
            Some(OrderStatus::Fulfilled) if self.captured => (!same).then_some(Difference::OtherSums),
            Some(OrderStatus::Fulfilled) if self.written_off() => {
                (!same || books.collectable_ore > 0).then_some(Difference::OtherSums)
            }
            Some(OrderStatus::Paid | OrderStatus::RefundPending | OrderStatus::Fulfilled) => {
                Some(Difference::UnderWay)
            }
            // Waits for a decision, which is reported by itself.
            Some(OrderStatus::CaptureFailed) => (!same).then_some(Difference::OtherSums),
        }
    }
}
