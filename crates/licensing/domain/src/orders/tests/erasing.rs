//! Forgetting a holder of an order.

use std::sync::Arc;

use cqrs_es::Aggregate as _;
use events::{
    CancelReason, Holder, OrderCancelled, OrderEvent, OrderExpired, OrderHolderErased, OrderRefunded,
    PaymentCaptured, RefundReason,
};
use uuid::Uuid;

use super::{and, confirm, date, expect, expect_refusal, fulfilled, now, paid, pending, placed, refund};
use crate::orders::{Order, OrderCommand};
use crate::{EraseHolder, HolderKey, Refusal};

fn holder_id() -> Uuid {
    placed().lines[0].holder_id.unwrap()
}

fn asked(holder_id: Uuid, decided_before: bool) -> OrderCommand {
    OrderCommand::EraseHolder(Box::new(EraseHolder {
        holder_id,
        // Not read where the order names its holders.
        holder_key: Arc::new(HolderKey::new(&[9; 32]).unwrap()),
        today: date(2026, 6, 1),
        decided_before,
    }))
}

fn erase() -> OrderCommand {
    asked(holder_id(), false)
}

fn erased() -> OrderHolderErased {
    OrderHolderErased {
        holder_id: holder_id(),
        lines: placed().lines.iter().map(|line| line.line).collect(),
    }
}

fn captured() -> PaymentCaptured {
    PaymentCaptured {
        reference: placed().payment_reference,
        captured_ore: 42_000,
    }
}

fn collected() -> Vec<OrderEvent> {
    and(and(and(pending(), paid()), fulfilled()), captured())
}

#[test]
fn an_order_that_is_over_forgets_and_one_under_way_does_not() {
    let cancelled = OrderCancelled {
        reason: CancelReason::PaymentDeclined,
    };
    let refunded = OrderRefunded {
        reference: placed().payment_reference,
        released_ore: 42_000,
        refunded_ore: 0,
    };
    let going_back = and(and(pending(), paid()), refund(RefundReason::WrongAmount, 42_000));
    for over in [
        and(pending(), cancelled),
        and(pending(), OrderExpired {}),
        and(going_back.clone(), refunded),
        collected(),
    ] {
        expect(over.clone(), erase(), vec![erased().into()]);
        expect(and(over, erased()), erase(), vec![]);
    }
    for under_way in [
        vec![placed().into()],
        pending(),
        and(pending(), paid()),
        and(and(pending(), paid()), fulfilled()),
        going_back,
    ] {
        expect_refusal(under_way, erase(), Refusal::ErasureOrderOpen);
    }
}

#[test]
fn nobody_else_is_forgotten() {
    expect(collected(), asked(Uuid::from_u128(1), false), vec![]);
}

#[test]
fn nothing_of_the_holder_is_left() {
    let mut order = Order::default();
    for event in and(collected(), erased()) {
        order.apply(event);
    }
    let line = &order.placed().unwrap().lines[0];
    assert_eq!((&line.holder, &line.vehicle), (&Holder::erased(), &None));
    assert!(line.holder.name.is_erased() && line.holder.name.expose().is_empty());
}

#[test]
fn a_late_payment_of_an_order_without_names_goes_back() {
    let expired = and(and(pending(), OrderExpired {}), erased());
    expect(
        expired,
        confirm(42_000, now()),
        vec![refund(RefundReason::PaidTooLate, 42_000).into()],
    );
}

#[test]
fn an_erasure_of_a_lost_log_also_ends_what_is_under_way() {
    let again = || asked(holder_id(), true);
    expect(pending(), again(), vec![erased().into(), OrderExpired {}.into()]);
    expect(
        and(pending(), paid()),
        again(),
        vec![erased().into(), refund(RefundReason::PaidTooLate, 42_000).into()],
    );
}
