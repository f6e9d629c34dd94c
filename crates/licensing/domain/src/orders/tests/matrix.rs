//! Every command in every state of an order: what follows, or why it is refused.

use std::sync::Arc;

use chrono::TimeDelta;
use cqrs_es::Aggregate as _;
use events::{
    CancelReason, CaptureAction, CaptureFailed, CaptureFailure, OrderCancelled, OrderCancelledByCustomer,
    OrderEvent, OrderExpired, OrderRefunded, PaymentCaptured, RefundFailure, RefundReason,
};
use uuid::Uuid;
use vocabulary::{OrderStatus, Word as _};

use super::{ORDER, and, confirm, fulfilled, line, now, paid, pending, place, placed, refund};
use crate::orders::tests::refunding::{failed, last_lines, request};
use crate::orders::{Order, OrderCommand, PaymentBooks, Resolution};

/// A history for each status, and for the two ways in which money can be on its way back.
fn states() -> Vec<(&'static str, Vec<OrderEvent>)> {
    let issued = and(and(pending(), paid()), fulfilled());
    let captured = and(
        issued.clone(),
        PaymentCaptured {
            reference: ORDER.to_string(),
            captured_ore: 42_000,
        },
    );
    let declined = OrderCancelled {
        reason: CancelReason::PaymentDeclined,
    };
    let gone = CaptureFailed {
        reference: ORDER.to_string(),
        reason: CaptureFailure::ReservationGone,
        due_ore: 42_000,
        collected_ore: 0,
        refunded_ore: 0,
        collectable_ore: 0,
    };
    let late = || refund(RefundReason::PaidTooLate, 42_000);
    let back = OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: 42_000,
        refunded_ore: 0,
    };
    let by_staff = and(captured.clone(), last_lines(&[(1, 42_000)]));
    vec![
        ("none", Vec::new()),
        ("placed", vec![placed().into()]),
        ("pending", pending()),
        ("paid", and(pending(), paid())),
        ("fulfilled", issued.clone()),
        ("captured", captured),
        ("capture_failed", and(issued, gone)),
        ("declined", and(pending(), declined)),
        ("cancelled", and(pending(), OrderCancelledByCustomer {})),
        ("expired", and(pending(), OrderExpired {})),
        ("late", and(pending(), late())),
        ("by_staff", by_staff.clone()),
        (
            "failed",
            and(by_staff, failed(RefundFailure::Refused, 42_000, 42_000)),
        ),
        ("refunded", and(and(pending(), late()), back)),
    ]
}

fn books(captured_ore: i64, refunded_ore: i64) -> PaymentBooks {
    PaymentBooks {
        reference: ORDER.to_string(),
        captured_ore,
        refunded_ore,
        cancelled_ore: 0,
        collectable_ore: 42_000 - captured_ore,
    }
}

fn commands() -> Vec<(&'static str, OrderCommand)> {
    let reference = ORDER.to_string();
    let expires = now() + TimeDelta::minutes(15);
    let reconcile = |books| OrderCommand::ReconcilePayment {
        books,
        policy: Arc::default(),
    };
    vec![
        ("place", OrderCommand::Place(Box::new(place(vec![line()])))),
        (
            "request_payment",
            OrderCommand::RequestPayment {
                payment_id: reference.clone(),
                redirect_url: "https://pay.example/1".into(),
            },
        ),
        ("confirm", confirm(42_000, now())),
        (
            "decline",
            OrderCommand::DeclinePayment {
                reference: reference.clone(),
            },
        ),
        ("lose", OrderCommand::RecordPaymentExpired { reference }),
        (
            "cancel",
            OrderCommand::Cancel {
                customer_id: Uuid::from_u128(2),
            },
        ),
        (
            "cancel_foreign",
            OrderCommand::Cancel {
                customer_id: Uuid::from_u128(3),
            },
        ),
        ("expire_early", OrderCommand::Expire { now: now() }),
        ("expire", OrderCommand::Expire { now: expires }),
        ("fulfill", OrderCommand::Fulfill),
        ("collected", reconcile(books(42_000, 0))),
        ("all_back", reconcile(books(42_000, 42_000))),
        (
            "resolve",
            OrderCommand::ResolveCapture(Resolution {
                action: CaptureAction::Revoke,
                reason: "track closed".into(),
            }),
        ),
        ("refund", request(None)),
        (
            "refund_failed",
            OrderCommand::RecordRefundFailure {
                books: books(42_000, 0),
                reason: RefundFailure::Refused,
            },
        ),
    ]
}

/// The names of the events, or the code of the refusal.
fn outcome(given: &[OrderEvent], command: OrderCommand) -> String {
    let mut order = Order::default();
    given.iter().cloned().for_each(|event| order.apply(event));
    match order.decide(command) {
        Ok(events) if events.is_empty() => "-".into(),
        Ok(events) => events
            .iter()
            .map(cqrs_es::DomainEvent::event_type)
            .collect::<Vec<_>>()
            .join("+"),
        Err(refusal) => format!("!{}", refusal.code()),
    }
}

#[test]
fn every_status_has_a_history() {
    for status in OrderStatus::texts() {
        let reached = states().iter().any(|(_, given)| {
            let mut order = Order::default();
            given.iter().cloned().for_each(|event| order.apply(event));
            order.status().is_some_and(|reached| reached.as_str() == status)
        });
        assert!(reached, "{status}");
    }
}

#[test]
fn every_command_in_every_state() {
    let commands = commands();
    let mut table = String::new();
    for (state, given) in states() {
        for (name, command) in &commands {
            let line = format!("{state:15} {name:15} {}\n", outcome(&given, command.clone()));
            table.push_str(&line);
        }
    }
    let expected = include_str!("matrix.txt");
    assert!(table == expected, "the table differs; it is now\n{table}");
}
