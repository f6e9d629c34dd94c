//! The money of issued licenses, by the provider's books.

use std::collections::BTreeMap;
use std::sync::Arc;

use cqrs_es::Aggregate;
use events::{
    CaptureAction, CaptureFailed, CaptureFailure, CaptureResolved, OrderEvent, OrderRefunded,
    PaymentCaptured, PaymentReconciled,
};
use proptest::prelude::*;
use uuid::Uuid;
use vocabulary::OrderStatus;

use super::{ORDER, and, expect, expect_refusal, fulfilled, paid, pending};
use crate::orders::{CapturePolicy, Order, OrderCommand, PaymentBooks, Resolution};
use crate::{Field, Refusal, Rule};

const DUE: i64 = 42_000;

fn books(captured_ore: i64, refunded_ore: i64, collectable_ore: i64) -> PaymentBooks {
    PaymentBooks {
        reference: ORDER.to_string(),
        captured_ore,
        refunded_ore,
        cancelled_ore: (DUE - captured_ore - collectable_ore).max(0),
        collectable_ore,
    }
}

fn policy(by_reason: &[(CaptureFailure, CaptureAction)]) -> Arc<CapturePolicy> {
    Arc::new(CapturePolicy {
        version: "p1".into(),
        by_reason: by_reason.iter().copied().collect::<BTreeMap<_, _>>(),
    })
}

/// With a policy that leaves everything to people.
fn hear(books: PaymentBooks) -> OrderCommand {
    OrderCommand::ReconcilePayment {
        books,
        policy: policy(&[]),
    }
}

fn resolve(action: CaptureAction) -> OrderCommand {
    OrderCommand::ResolveCapture(Resolution {
        action,
        reason: "  track closed ".into(),
    })
}

fn issued() -> Vec<OrderEvent> {
    and(and(pending(), paid()), fulfilled())
}

fn captured() -> OrderEvent {
    PaymentCaptured {
        reference: ORDER.to_string(),
        captured_ore: DUE,
    }
    .into()
}

fn found(captured_ore: i64, refunded_ore: i64) -> OrderEvent {
    PaymentReconciled {
        reference: ORDER.to_string(),
        captured_ore,
        refunded_ore,
    }
    .into()
}

fn back(refunded_ore: i64) -> OrderEvent {
    OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: 0,
        refunded_ore,
    }
    .into()
}

fn failed(reason: CaptureFailure, collected_ore: i64, collectable_ore: i64) -> OrderEvent {
    CaptureFailed {
        reference: ORDER.to_string(),
        reason,
        due_ore: DUE,
        collected_ore,
        refunded_ore: 0,
        collectable_ore,
    }
    .into()
}

fn resolved(action: CaptureAction, written_off_ore: i64) -> OrderEvent {
    CaptureResolved {
        action,
        policy_version: None,
        reason: Some("track closed".into()),
        written_off_ore,
    }
    .into()
}

fn order(events: Vec<OrderEvent>) -> Order {
    let mut order = Order::default();
    for event in events {
        order.apply(event);
    }
    order
}

#[test]
fn what_is_collected_in_full_is_captured_once() {
    assert_eq!(order(issued()).to_collect(&books(0, 0, DUE)), Some(DUE));
    expect(issued(), hear(books(0, 0, DUE)), vec![]);
    expect(issued(), hear(books(DUE, 0, 0)), vec![captured()]);
    let done = and(issued(), captured());
    expect(done.clone(), hear(books(DUE, 0, 0)), vec![]);
    assert_eq!(order(done).to_collect(&books(DUE, 0, 0)), None);
}

#[test]
fn before_the_licenses_are_issued_the_books_change_nothing() {
    for given in [pending(), and(pending(), paid())] {
        expect(given.clone(), hear(books(DUE, 0, 0)), vec![]);
        expect(given, hear(books(0, 0, 0)), vec![]);
    }
    let foreign = PaymentBooks {
        reference: Uuid::nil().to_string(),
        ..books(DUE, 0, 0)
    };
    expect_refusal(issued(), hear(foreign), Refusal::PaymentMismatch);
}

#[test]
fn money_that_can_not_be_collected_is_said_once_with_why() {
    use CaptureFailure::{CollectedTooMuch, PartlyCollected, ReservationGone};
    for (books, event) in [
        (books(0, 0, 0), failed(ReservationGone, 0, 0)),
        (books(0, 0, DUE - 1), failed(ReservationGone, 0, DUE - 1)),
        (books(100, 0, 0), failed(ReservationGone, 100, 0)),
        (books(100, 0, DUE - 100), failed(PartlyCollected, 100, DUE - 100)),
        (books(DUE + 1, 0, 0), failed(CollectedTooMuch, DUE + 1, 0)),
    ] {
        assert_eq!(order(issued()).to_collect(&books), None);
        expect(issued(), hear(books.clone()), vec![event.clone()]);
        let undecided = and(issued(), event);
        assert_eq!(
            order(undecided.clone()).status(),
            Some(OrderStatus::CaptureFailed)
        );
        assert_eq!(order(undecided.clone()).to_collect(&books), None);
        expect(undecided, hear(books), vec![]);
    }
}

#[test]
fn a_person_decides_what_becomes_of_it() {
    use CaptureAction::{CollectRest, Revoke, WriteOff};
    let gone = and(issued(), failed(CaptureFailure::ReservationGone, 0, 0));
    expect_refusal(gone.clone(), resolve(CollectRest), Refusal::NothingToCollect);
    expect(gone.clone(), resolve(WriteOff), vec![resolved(WriteOff, DUE)]);
    expect(gone.clone(), resolve(Revoke), vec![resolved(Revoke, 0)]);
    expect_refusal(issued(), resolve(WriteOff), Refusal::OrderState);

    let part = and(issued(), failed(CaptureFailure::PartlyCollected, 100, DUE - 100));
    expect(
        part.clone(),
        resolve(WriteOff),
        vec![resolved(WriteOff, DUE - 100)],
    );
    expect(part.clone(), resolve(CollectRest), vec![resolved(CollectRest, 0)]);
    let rest = and(part, resolved(CollectRest, 0));
    assert_eq!(
        order(rest.clone()).to_collect(&books(100, 0, DUE - 100)),
        Some(DUE - 100)
    );
    expect(rest, hear(books(DUE, 0, 0)), vec![captured()]);

    let unsaid = OrderCommand::ResolveCapture(Resolution {
        action: WriteOff,
        reason: " ".into(),
    });
    let field = Field {
        pointer: "/reason".into(),
        rule: Rule::Required,
    };
    expect_refusal(gone, unsaid, Refusal::Invalid(vec![field]));
}

#[test]
fn revoking_ends_in_no_license_and_no_money() {
    let gone = and(issued(), failed(CaptureFailure::ReservationGone, 100, 0));
    let revoked = and(gone, resolved(CaptureAction::Revoke, 0));
    let order = order(revoked.clone());
    assert_eq!(order.status(), Some(OrderStatus::RefundPending));
    assert!(order.paid(ORDER).is_none());
    let (reason, licenses) = order.revoked_licenses().unwrap();
    assert_eq!(reason, events::RevokeReason::NotCollected);
    assert_eq!(licenses.collect::<Vec<_>>(), [crate::license_id(ORDER, 1)]);
    expect(revoked.clone(), hear(books(100, 0, 0)), vec![]);
    let all_back = PaymentBooks {
        cancelled_ore: 0,
        ..books(100, 100, 0)
    };
    expect(revoked, hear(all_back), vec![back(100)]);
}

#[test]
fn the_policy_decides_at_once_and_is_named() {
    let by_policy = OrderCommand::ReconcilePayment {
        books: books(100, 0, DUE - 100),
        policy: policy(&[(CaptureFailure::PartlyCollected, CaptureAction::CollectRest)]),
    };
    let decided = CaptureResolved {
        action: CaptureAction::CollectRest,
        policy_version: Some("p1".into()),
        reason: None,
        written_off_ore: 0,
    };
    let events = vec![
        failed(CaptureFailure::PartlyCollected, 100, DUE - 100),
        decided.into(),
    ];
    expect(issued(), by_policy, events);
    // What a policy can not do waits for a person.
    let impossible = OrderCommand::ReconcilePayment {
        books: books(0, 0, 0),
        policy: policy(&[(CaptureFailure::ReservationGone, CaptureAction::CollectRest)]),
    };
    expect(
        issued(),
        impossible,
        vec![failed(CaptureFailure::ReservationGone, 0, 0)],
    );
}

#[test]
fn money_that_moved_outside_the_shop_is_stated_and_all_of_it_back_ends_the_order() {
    let done = and(issued(), captured());
    expect(done.clone(), hear(books(DUE, 100, 0)), vec![found(DUE, 100)]);
    let stated = and(done.clone(), found(DUE, 100));
    expect(stated.clone(), hear(books(DUE, 100, 0)), vec![]);
    assert_eq!(order(stated.clone()).status(), Some(OrderStatus::Fulfilled));
    for given in [done, stated] {
        expect(given, hear(books(DUE, DUE, 0)), vec![found(DUE, DUE), back(DUE)]);
    }
    // Collected and paid back in the portal before the shop came to it.
    expect(
        issued(),
        hear(books(DUE, 100, 0)),
        vec![captured(), found(DUE, 100)],
    );
    expect(
        issued(),
        hear(books(DUE, DUE, 0)),
        vec![found(DUE, DUE), back(DUE)],
    );
    let ended = and(and(and(issued(), captured()), found(DUE, DUE)), back(DUE));
    assert!(order(ended.clone()).revoked_licenses().is_some());
    expect(ended, hear(books(DUE, DUE, 0)), vec![]);
}

#[test]
fn what_was_undecided_is_over_when_the_portal_collects_it() {
    let part = and(issued(), failed(CaptureFailure::PartlyCollected, 100, DUE - 100));
    expect(part.clone(), hear(books(DUE, 0, 0)), vec![captured()]);
    let whole = and(part, captured());
    assert_eq!(order(whole.clone()).status(), Some(OrderStatus::Fulfilled));
    assert!(order(whole).capture_failure().is_none());
}

proptest! {
    /// For all books and policies: reconciling again decides nothing, and no more than what is due is ever
    /// asked for.
    #[test]
    fn hearing_the_same_books_twice_decides_nothing_new(
        steps in prop::collection::vec((0_i64..=DUE, 0_i64..=DUE, 0_i64..=DUE, 0_usize..4), 1..6),
    ) {
        use CaptureAction::{CollectRest, Revoke, WriteOff};
        let mut order = order(issued());
        for (captured, refunded, collectable, choice) in steps {
            let books = books(captured, refunded.min(captured), collectable.min(DUE - captured));
            let policy = match choice {
                0 => policy(&[]),
                n => policy(&[CaptureFailure::PartlyCollected, CaptureFailure::ReservationGone]
                    .map(|reason| (reason, [CollectRest, Revoke, WriteOff][n - 1]))),
            };
            let hear = || OrderCommand::ReconcilePayment { books: books.clone(), policy: policy.clone() };
            for event in order.decide(hear()).unwrap() {
                order.apply(event);
            }
            prop_assert_eq!(order.decide(hear()).unwrap(), vec![]);
            if let Some(amount) = order.to_collect(&books) {
                prop_assert!(amount > 0 && captured + amount <= DUE && amount <= books.collectable_ore);
            }
        }
    }
}
