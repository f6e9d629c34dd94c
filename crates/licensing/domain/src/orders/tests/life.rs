//! What becomes of an order that was placed: paid, fulfilled, or money going back.

use std::sync::Arc;

use chrono::TimeDelta;
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::{
    CancelReason, LicenseEvent, LicenseRevoked, OrderCancelled, OrderEvent, OrderExpired, OrderRefunded,
    RefundReason, RevokeReason,
};
use uuid::Uuid;

use super::{
    ORDER, and, confirm, expect, expect_refusal, fulfilled, now, paid, pending, placed, refund, requested,
};
use crate::orders::{Order, OrderCommand, PaymentBooks};
use crate::{License, LicenseCommand, Refusal};

#[test]
fn a_confirmed_payment_pays_the_order_once() {
    expect(pending(), confirm(42_000, now()), vec![paid().into()]);
    // The provider may be faster than the note of where to pay.
    expect(vec![placed().into()], confirm(42_000, now()), vec![paid().into()]);
    expect(and(pending(), paid()), confirm(42_000, now()), vec![]);
    expect(
        and(and(pending(), paid()), fulfilled()),
        confirm(42_000, now()),
        vec![],
    );
}

#[test]
fn a_payment_of_another_amount_goes_back() {
    for amount in [41_999, 42_001] {
        expect(
            pending(),
            confirm(amount, now()),
            vec![refund(RefundReason::WrongAmount, amount).into()],
        );
    }
}

#[test]
fn a_payment_of_another_order_or_of_nothing_is_refused() {
    let foreign = OrderCommand::ConfirmPayment {
        reference: Uuid::nil().to_string(),
        authorized_ore: 42_000,
        now: now(),
        days_taken: false,
    };
    expect_refusal(pending(), foreign, Refusal::PaymentMismatch);
    // A prefix is not the reference.
    let prefix = OrderCommand::ConfirmPayment {
        reference: ORDER.to_string()[..20].into(),
        authorized_ore: 42_000,
        now: now(),
        days_taken: false,
    };
    expect_refusal(pending(), prefix, Refusal::PaymentMismatch);
    expect_refusal(pending(), confirm(0, now()), Refusal::PaymentMismatch);
    let declined = OrderCommand::DeclinePayment {
        reference: Uuid::nil().to_string(),
    };
    expect_refusal(pending(), declined, Refusal::PaymentMismatch);
}

#[test]
fn a_late_payment_revives_the_order_or_goes_back() {
    let expired = and(pending(), OrderExpired {});
    expect(
        expired.clone(),
        confirm(42_000, now() + TimeDelta::hours(1)),
        vec![paid().into()],
    );
    let after_the_day = now() + TimeDelta::days(5);
    expect(
        expired,
        confirm(42_000, after_the_day),
        vec![refund(RefundReason::PaidTooLate, 42_000).into()],
    );
    let cancelled = and(
        pending(),
        OrderCancelled {
            reason: CancelReason::PaymentDeclined,
        },
    );
    expect(
        cancelled,
        confirm(42_000, now()),
        vec![refund(RefundReason::PaidTooLate, 42_000).into()],
    );
}

#[test]
fn a_declined_payment_cancels_only_an_unpaid_order() {
    let decline = || OrderCommand::DeclinePayment {
        reference: ORDER.to_string(),
    };
    let cancelled = OrderCancelled {
        reason: CancelReason::PaymentDeclined,
    };
    expect(pending(), decline(), vec![cancelled.clone().into()]);
    expect(and(pending(), paid()), decline(), vec![]);
    expect(and(pending(), cancelled), decline(), vec![]);
    expect(and(pending(), OrderExpired {}), decline(), vec![]);
}

#[test]
fn an_order_whose_payment_the_provider_gave_up_has_expired() {
    let lose = |reference: Uuid| OrderCommand::RecordPaymentExpired {
        reference: reference.to_string(),
    };
    expect(pending(), lose(ORDER), vec![OrderExpired {}.into()]);
    expect(and(pending(), paid()), lose(ORDER), vec![]);
    expect_refusal(pending(), lose(Uuid::nil()), Refusal::PaymentMismatch);
}

#[test]
fn an_unpaid_order_expires_when_its_time_is_over() {
    let expire = |minutes| OrderCommand::Expire {
        now: now() + TimeDelta::minutes(minutes),
    };
    expect_refusal(pending(), expire(14), Refusal::NotExpired);
    expect(pending(), expire(15), vec![OrderExpired {}.into()]);
    expect(and(pending(), paid()), expire(15), vec![]);
    expect(and(pending(), OrderExpired {}), expire(16), vec![]);
}

#[test]
fn only_a_paid_order_is_fulfilled() {
    for given in [pending(), and(pending(), OrderExpired {})] {
        expect_refusal(given, OrderCommand::Fulfill, Refusal::OrderState);
    }
    let paid = and(pending(), paid());
    expect(paid.clone(), OrderCommand::Fulfill, vec![fulfilled().into()]);
    expect(and(paid, fulfilled()), OrderCommand::Fulfill, vec![]);
}

#[test]
fn money_goes_back_once() {
    let given = and(pending(), refund(RefundReason::WrongAmount, 41_000));
    let back = || OrderCommand::ReconcilePayment {
        books: PaymentBooks {
            reference: ORDER.to_string(),
            captured_ore: 0,
            refunded_ore: 0,
            cancelled_ore: 41_000,
            collectable_ore: 0,
        },
        policy: Arc::default(),
    };
    let refunded = OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: 41_000,
        refunded_ore: 0,
    };
    expect(given.clone(), back(), vec![refunded.clone().into()]);
    expect(and(given.clone(), refunded), back(), vec![]);
    expect(pending(), back(), vec![]);
    expect_refusal(given, OrderCommand::Fulfill, Refusal::OrderState);
}

#[test]
fn where_to_pay_is_noted_once_and_never_sets_an_order_back() {
    let note = || OrderCommand::RequestPayment {
        payment_id: ORDER.to_string(),
        redirect_url: "https://pay.example/1".into(),
    };
    expect(vec![placed().into()], note(), vec![requested().into()]);
    expect(pending(), note(), vec![]);
    expect(vec![placed().into(), paid().into()], note(), vec![]);
    expect_refusal(
        vec![placed().into(), OrderExpired {}.into()],
        note(),
        Refusal::OrderState,
    );
}

#[test]
fn what_never_was_placed_is_unknown() {
    for command in [
        OrderCommand::Fulfill,
        confirm(1, now()),
        OrderCommand::Expire { now: now() },
    ] {
        TestFramework::<Order>::with(())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(Refusal::Unknown);
    }
}

#[test]
fn a_license_needs_a_paid_order() {
    let order = |events: Vec<OrderEvent>| {
        let mut order = Order::default();
        for event in events {
            order.apply(event);
        }
        order
    };
    for unpaid in [vec![placed().into()], pending(), and(pending(), OrderExpired {})] {
        assert!(order(unpaid).paid(ORDER).is_none());
    }
    let paid = order(and(pending(), paid())).paid(ORDER).unwrap();
    assert_eq!(
        paid.license_ids().collect::<Vec<_>>(),
        [(1, crate::license_id(ORDER, 1))]
    );
    let issue = |line| LicenseCommand::Issue {
        order: paid.clone(),
        line,
    };
    let license = paid.license(1).unwrap();
    assert_eq!(license.holder.name.expose(), "Kari Nordmann");
    let issued: LicenseEvent = license.into();
    TestFramework::<License>::with(())
        .given_no_previous_events()
        .when(issue(1))
        .then_expect_events(vec![issued.clone()]);
    TestFramework::<License>::with(())
        .given(vec![issued.clone()])
        .when(issue(1))
        .then_expect_events(vec![]);
    TestFramework::<License>::with(())
        .given_no_previous_events()
        .when(issue(2))
        .then_expect_error(Refusal::Unknown);
    let revoke = |reason| LicenseCommand::Revoke { reason };
    let revoked: LicenseEvent = LicenseRevoked {
        order_id: ORDER,
        reason: RevokeReason::Refunded,
    }
    .into();
    TestFramework::<License>::with(())
        .given_no_previous_events()
        .when(revoke(RevokeReason::Refunded))
        .then_expect_error(Refusal::Unknown);
    TestFramework::<License>::with(())
        .given(vec![issued.clone()])
        .when(revoke(RevokeReason::Refunded))
        .then_expect_events(vec![revoked.clone()]);
    // Once is enough, and nothing makes it valid again.
    for again in [revoke(RevokeReason::NotCollected), issue(1)] {
        TestFramework::<License>::with(())
            .given(vec![issued.clone(), revoked.clone()])
            .when(again)
            .then_expect_events(vec![]);
    }
}
