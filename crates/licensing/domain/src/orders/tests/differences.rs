//! How an order and its payment at the provider differ.

use cqrs_es::Aggregate;
use events::{OrderEvent, OrderExpired, OrderRefunded, PaymentCaptured, RefundReason};

use super::{ORDER, and, fulfilled, paid, pending, placed, refund};
use crate::orders::{Difference, Order, PaymentBooks, SeenPayment};

const DUE: i64 = 42_000;

fn after(events: Vec<OrderEvent>) -> Order {
    let mut order = Order::default();
    for event in events {
        order.apply(event);
    }
    order
}

fn seen(open: bool, captured_ore: i64, refunded_ore: i64, collectable_ore: i64) -> SeenPayment {
    SeenPayment {
        open,
        books: PaymentBooks {
            reference: ORDER.to_string(),
            captured_ore,
            refunded_ore,
            cancelled_ore: 0,
            collectable_ore,
        },
    }
}

fn captured() -> Vec<OrderEvent> {
    let captured = PaymentCaptured {
        reference: ORDER.to_string(),
        captured_ore: DUE,
    };
    and(and(and(pending(), paid()), fulfilled()), captured)
}

fn refunded(given: Vec<OrderEvent>) -> Vec<OrderEvent> {
    let refunded = OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: DUE,
        refunded_ore: 0,
    };
    and(and(given, refund(RefundReason::PaidTooLate, DUE)), refunded)
}

#[test]
fn every_state_agrees_with_its_payment_and_differs_from_others() {
    use Difference::{MoneyHeld, NotRecorded, OtherSums, PaymentMissing, StillOpen, UnderWay};
    let (open, ended, authorized) = (seen(true, 0, 0, 0), seen(false, 0, 0, 0), seen(false, 0, 0, DUE));
    let taken = seen(false, DUE, 0, 0);
    for (given, seen, difference) in [
        (vec![], Some(&open), None),
        (vec![placed().into()], None, None),
        (pending(), None, None),
        (pending(), Some(&open), None),
        (pending(), Some(&authorized), Some(NotRecorded)),
        (pending(), Some(&ended), Some(NotRecorded)),
        (and(pending(), OrderExpired {}), None, None),
        (and(pending(), OrderExpired {}), Some(&ended), None),
        (and(pending(), OrderExpired {}), Some(&open), Some(StillOpen)),
        (
            and(pending(), OrderExpired {}),
            Some(&authorized),
            Some(MoneyHeld),
        ),
        (and(pending(), paid()), None, Some(PaymentMissing)),
        (and(pending(), paid()), Some(&authorized), Some(UnderWay)),
        (
            and(and(pending(), paid()), fulfilled()),
            Some(&authorized),
            Some(UnderWay),
        ),
        (captured(), Some(&taken), None),
        (captured(), None, Some(PaymentMissing)),
        (captured(), Some(&self::seen(false, DUE, 1, 0)), Some(OtherSums)),
        (captured(), Some(&authorized), Some(OtherSums)),
        (
            and(pending(), refund(RefundReason::PaidTooLate, DUE)),
            Some(&authorized),
            Some(UnderWay),
        ),
        (refunded(pending()), Some(&ended), None),
        (refunded(pending()), Some(&taken), Some(MoneyHeld)),
    ] {
        let order = after(given);
        assert_eq!(
            order.difference(seen),
            difference,
            "{:?} {seen:?}",
            order.status()
        );
    }
}

#[test]
fn only_an_order_that_nothing_is_expected_of_is_settled() {
    for (given, settled) in [
        (vec![], false),
        (pending(), false),
        (and(pending(), paid()), false),
        (and(and(pending(), paid()), fulfilled()), false),
        (captured(), true),
        (and(pending(), OrderExpired {}), true),
        (and(pending(), refund(RefundReason::PaidTooLate, DUE)), false),
        (refunded(pending()), true),
    ] {
        let order = after(given);
        assert_eq!(order.settled(), settled, "{:?}", order.status());
    }
}
