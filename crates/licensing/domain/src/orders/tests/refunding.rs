//! Money that staff gives back: by the policy, each line once, and never more than was collected.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate as _;
use envelope::Personal;
use events::{
    LineRefund, LineRefundsRequested, LinesRefunded, OrderEvent, OrderFulfilled, OrderPaid, OrderPlaced,
    OrderRefunded, PaymentCaptured, PaymentReconciled, RefundFailed, RefundFailure, RefundRetried,
};
use vocabulary::{OrderStatus, RefundState};

use super::{ORDER, and, date, expect, expect_refusal, line, now, paid, place, requested};
use crate::orders::{
    Order, OrderCommand, PaymentBooks, RefundPolicy, RefundStep, RequestRefund, SeenPayment,
};
use crate::{Field, Refusal, Rule};

pub(super) fn policy(share_per_mille: u16) -> RefundPolicy {
    RefundPolicy {
        version: "r1".into(),
        until_days_before: 0,
        share_per_mille,
        after_check_in: false,
        override_by: BTreeSet::new(),
    }
}

pub(super) fn asked(lines: Option<Vec<u16>>) -> RequestRefund {
    RequestRefund {
        lines,
        reason: " race  cancelled ".into(),
        overridden: false,
        checked_in: BTreeSet::new(),
        policy: Arc::new(policy(1000)),
        now: now(),
    }
}

pub(super) fn request(lines: Option<Vec<u16>>) -> OrderCommand {
    OrderCommand::RequestRefund(Box::new(asked(lines)))
}

/// The request for these lines, the last ones of the order or not.
fn requested_lines_of(lines: &[(u16, i64)], ends_order: bool) -> OrderEvent {
    let refund = |(line, amount_ore): &(u16, i64)| LineRefund {
        line: *line,
        amount_ore: *amount_ore,
    };
    LineRefundsRequested {
        reference: ORDER.to_string(),
        policy_version: "r1".into(),
        overridden: false,
        reason: Personal::new("race cancelled".into()),
        ends_order,
        lines: lines.iter().map(refund).collect(),
    }
    .into()
}

fn requested_lines(lines: &[(u16, i64)]) -> OrderEvent {
    requested_lines_of(lines, false)
}

pub(super) fn last_lines(lines: &[(u16, i64)]) -> OrderEvent {
    requested_lines_of(lines, true)
}

pub(super) fn failed(reason: RefundFailure, left_ore: i64, captured_ore: i64) -> OrderEvent {
    RefundFailed {
        reference: ORDER.to_string(),
        reason,
        left_ore,
        captured_ore,
        refunded_ore: 0,
    }
    .into()
}

fn retried() -> OrderEvent {
    RefundRetried {
        reference: ORDER.to_string(),
        reason: Personal::new("race cancelled".into()),
    }
    .into()
}

fn lines_back(lines: &[(u16, i64)], books: &PaymentBooks) -> OrderEvent {
    let refund = |(line, amount_ore): &(u16, i64)| LineRefund {
        line: *line,
        amount_ore: *amount_ore,
    };
    LinesRefunded {
        reference: ORDER.to_string(),
        lines: lines.iter().map(refund).collect(),
        captured_ore: books.captured_ore,
        refunded_ore: books.refunded_ore,
        released_ore: books.cancelled_ore,
    }
    .into()
}

fn all_back(books: &PaymentBooks) -> OrderEvent {
    OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: books.cancelled_ore,
        refunded_ore: books.refunded_ore,
    }
    .into()
}

/// An order of lines with these prices, placed.
pub(super) fn of_prices(prices: &[i64]) -> OrderPlaced {
    let day = date(2026, 6, 5);
    let lines = prices.iter().enumerate().map(|(at, price)| {
        let mut line = line();
        line.asked.activity_date = day + chrono::Days::new(at as u64);
        line.offer.as_mut().unwrap().price_ore = *price;
        line
    });
    place(lines.collect()).check().unwrap()
}

fn paid_for(placed: OrderPlaced) -> Vec<OrderEvent> {
    let total = placed.total_ore;
    let paid = OrderPaid {
        authorized_ore: total,
        ..paid()
    };
    vec![placed.into(), requested().into(), paid.into()]
}

pub(super) fn issued(placed: OrderPlaced) -> Vec<OrderEvent> {
    let license_ids = placed.lines.iter().map(|line| line.license_id).collect();
    and(paid_for(placed), OrderFulfilled { license_ids })
}

fn collected(given: Vec<OrderEvent>, captured_ore: i64) -> Vec<OrderEvent> {
    and(
        given,
        PaymentCaptured {
            reference: ORDER.to_string(),
            captured_ore,
        },
    )
}

/// Three licenses for 600 kr, paid and collected.
fn bought() -> Vec<OrderEvent> {
    collected(issued(of_prices(&[10_000, 20_000, 30_000])), 60_000)
}

fn books(captured_ore: i64, refunded_ore: i64, cancelled_ore: i64) -> PaymentBooks {
    PaymentBooks {
        reference: ORDER.to_string(),
        captured_ore,
        refunded_ore,
        cancelled_ore,
        collectable_ore: 60_000 - captured_ore - cancelled_ore,
    }
}

pub(super) fn reconcile(books: &PaymentBooks) -> OrderCommand {
    OrderCommand::ReconcilePayment {
        books: books.clone(),
        policy: Arc::default(),
    }
}

pub(super) fn order(events: &[OrderEvent]) -> Order {
    let mut order = Order::default();
    events.iter().cloned().for_each(|event| order.apply(event));
    order
}

fn refused(pointer: &str, rule: Rule) -> Refusal {
    Refusal::Invalid(vec![Field {
        pointer: pointer.into(),
        rule,
    }])
}

#[test]
fn a_line_goes_back_once_and_the_others_stay() {
    let one = requested_lines(&[(2, 20_000)]);
    expect(bought(), request(Some(vec![2, 2])), vec![one.clone()]);
    let asked = and(bought(), one);
    assert_eq!(order(&asked).status(), Some(OrderStatus::Fulfilled));
    expect(asked.clone(), request(Some(vec![2])), vec![]);
    let step = |books: &PaymentBooks| order(&asked).refund_step(books);
    assert_eq!(step(&books(60_000, 0, 0)), RefundStep::PayBack(20_000));
    let back = books(60_000, 20_000, 0);
    assert_eq!(step(&back), RefundStep::Done);
    expect(asked.clone(), reconcile(&books(60_000, 0, 0)), vec![]);
    expect(
        asked.clone(),
        reconcile(&back),
        vec![lines_back(&[(2, 20_000)], &back)],
    );
    let done = and(asked, lines_back(&[(2, 20_000)], &back));
    assert_eq!(
        order(&done).refunds().collect::<Vec<_>>(),
        [(2, 20_000, RefundState::Refunded)]
    );
    expect(done.clone(), reconcile(&back), vec![]);
    expect(done.clone(), request(Some(vec![2])), vec![]);
    // The rest, and the order is refunded.
    let rest = last_lines(&[(1, 10_000), (3, 30_000)]);
    expect(done.clone(), request(None), vec![rest.clone()]);
    let ending = and(done, rest);
    assert_eq!(order(&ending).status(), Some(OrderStatus::RefundPending));
    assert_eq!(order(&ending).refund_step(&back), RefundStep::PayBack(40_000));
    let all = books(60_000, 60_000, 0);
    expect(ending.clone(), reconcile(&all), vec![all_back(&all)]);
    let over = and(ending, all_back(&all));
    assert!(
        order(&over)
            .refunds()
            .all(|(.., state)| state == RefundState::Refunded)
    );
    expect(over, request(None), vec![]);
}

#[test]
fn lines_that_are_not_the_orders_and_reasons_that_say_nothing_are_refused() {
    for (lines, pointer, rule) in [
        (vec![], "/lines", Rule::Required),
        (vec![0], "/lines/0", Rule::RefundLine),
        (vec![1, 4], "/lines/1", Rule::RefundLine),
    ] {
        expect_refusal(bought(), request(Some(lines)), refused(pointer, rule));
    }
    let unsaid = RequestRefund {
        reason: " ".into(),
        ..asked(None)
    };
    expect_refusal(
        bought(),
        OrderCommand::RequestRefund(Box::new(unsaid)),
        refused("/reason", Rule::Required),
    );
}

#[test]
fn the_policy_says_until_when_and_how_much_and_can_be_overridden() {
    let at = |now: DateTime<Utc>, days, overridden| {
        OrderCommand::RequestRefund(Box::new(RequestRefund {
            now,
            overridden,
            policy: Arc::new(RefundPolicy {
                until_days_before: days,
                ..policy(501)
            }),
            ..asked(Some(vec![1]))
        }))
    };
    let half = requested_lines(&[(1, 5_010)]);
    // The license is for 5 June: that day begins at 22:00 UTC.
    let last = DateTime::parse_from_rfc3339("2026-06-04T21:59:59Z")
        .unwrap()
        .to_utc();
    expect(bought(), at(last, 0, false), vec![half.clone()]);
    let late = refused("/lines/0", Rule::RefundTooLate);
    let first = last + TimeDelta::seconds(1);
    expect_refusal(bought(), at(first, 0, false), late.clone());
    expect(bought(), at(last - TimeDelta::days(2), 2, false), vec![half]);
    expect_refusal(bought(), at(first - TimeDelta::days(2), 2, false), late);
    let Ok(events) = order(&bought()).decide(at(first, 0, true)) else {
        panic!("overridden")
    };
    let [OrderEvent::LineRefundsRequested(decided)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(decided.overridden);

    let used = |after_check_in| {
        OrderCommand::RequestRefund(Box::new(RequestRefund {
            checked_in: [1].into(),
            policy: Arc::new(RefundPolicy {
                after_check_in,
                ..policy(1000)
            }),
            ..asked(None)
        }))
    };
    expect_refusal(bought(), used(false), refused("/lines", Rule::RefundCheckedIn));
    let all = last_lines(&[(1, 10_000), (2, 20_000), (3, 30_000)]);
    expect(bought(), used(true), vec![all]);
}

#[test]
fn a_refund_before_the_capture_collects_less_and_releases_the_rest() {
    let asked = and(
        issued(of_prices(&[10_000, 20_000, 30_000])),
        requested_lines(&[(2, 20_000)]),
    );
    let mut order = order(&asked);
    assert_eq!(order.refund_step(&books(0, 0, 0)), RefundStep::Wait);
    assert_eq!(order.to_collect(&books(0, 0, 0)), Some(40_000));
    let captured = order.decide(reconcile(&books(40_000, 0, 0))).unwrap();
    assert_eq!(captured, collected(Vec::new(), 40_000));
    for event in captured {
        order.apply(event);
    }
    assert_eq!(order.refund_step(&books(40_000, 0, 0)), RefundStep::Release);
    let done = books(40_000, 0, 20_000);
    assert_eq!(
        order.decide(reconcile(&done)).unwrap(),
        [lines_back(&[(2, 20_000)], &done)]
    );
}

/// The capture was under way when staff decided: it took everything.
#[test]
fn a_refund_while_the_capture_is_under_way_pays_back_what_was_too_much() {
    let asked = and(
        issued(of_prices(&[10_000, 20_000, 30_000])),
        requested_lines(&[(2, 20_000)]),
    );
    let mut order = order(&asked);
    let whole = books(60_000, 0, 0);
    assert_eq!(order.refund_step(&whole), RefundStep::PayBack(20_000));
    let captured = order.decide(reconcile(&books(60_000, 20_000, 0))).unwrap();
    assert_eq!(captured, collected(Vec::new(), 60_000));
    for event in captured {
        order.apply(event);
    }
    let done = books(60_000, 20_000, 0);
    assert_eq!(
        order.decide(reconcile(&done)).unwrap(),
        [lines_back(&[(2, 20_000)], &done)]
    );
}

#[test]
fn a_paid_order_without_licenses_goes_back_whole_or_waits_for_them() {
    let paid = paid_for(of_prices(&[10_000, 20_000]));
    expect_refusal(paid.clone(), request(Some(vec![1])), Refusal::OrderState);
    let all = last_lines(&[(1, 10_000), (2, 20_000)]);
    expect(paid.clone(), request(None), vec![all.clone()]);
    let ending = and(paid, all);
    assert!(
        order(&ending).paid(ORDER).is_none(),
        "no license is issued for it"
    );
    expect_refusal(ending, OrderCommand::Fulfill, Refusal::OrderState);
}

#[test]
fn what_the_shop_keeps_of_an_order_that_was_not_collected_is_collected_before_the_rest_is_released() {
    let share = OrderCommand::RequestRefund(Box::new(RequestRefund {
        policy: Arc::new(policy(900)),
        ..asked(None)
    }));
    let paid = paid_for(of_prices(&[60_000]));
    let requested = last_lines(&[(1, 54_000)]);
    expect(paid.clone(), share, vec![requested.clone()]);
    let ending = and(paid, requested);
    let step = |books: PaymentBooks| order(&ending).refund_step(&books);
    assert_eq!(step(books(0, 0, 0)), RefundStep::Collect(6_000));
    assert_eq!(step(books(6_000, 0, 0)), RefundStep::Release);
    let done = books(6_000, 0, 54_000);
    let mut events = collected(Vec::new(), 6_000);
    events.push(all_back(&done));
    expect(ending.clone(), reconcile(&done), events.clone());
    let over = order(&[ending, events].concat());
    let seen = |books| SeenPayment { open: false, books };
    assert_eq!(over.difference(Some(&seen(done))), None, "it keeps its share");
    assert!(over.difference(Some(&seen(books(6_001, 0, 53_999)))).is_some());
}

#[test]
fn a_refund_that_the_provider_refuses_is_stated_once_tried_again_by_staff_and_healed_by_the_books() {
    let asked = and(bought(), requested_lines(&[(2, 20_000)]));
    let fail = || OrderCommand::RecordRefundFailure {
        books: books(60_000, 0, 0),
        reason: RefundFailure::Refused,
    };
    let stated = failed(RefundFailure::Refused, 20_000, 60_000);
    expect(asked.clone(), fail(), vec![stated.clone()]);
    let stuck = and(asked, stated);
    assert_eq!(
        order(&stuck).refunds().collect::<Vec<_>>(),
        [(2, 20_000, RefundState::Failed)]
    );
    expect(stuck.clone(), fail(), vec![]);
    expect(stuck.clone(), reconcile(&books(60_000, 0, 0)), vec![]);
    // Staff pays back in the portal: a part, and then the rest.
    let moved = PaymentReconciled {
        reference: ORDER.to_string(),
        captured_ore: 60_000,
        refunded_ore: 5_000,
    };
    expect(
        stuck.clone(),
        reconcile(&books(60_000, 5_000, 0)),
        vec![moved.into()],
    );
    let back = books(60_000, 20_000, 0);
    expect(
        stuck.clone(),
        reconcile(&back),
        vec![lines_back(&[(2, 20_000)], &back)],
    );
    // Or asks again, for the same line or for more.
    expect(stuck.clone(), request(Some(vec![2])), vec![retried()]);
    expect(
        stuck.clone(),
        request(Some(vec![1, 2])),
        vec![requested_lines(&[(1, 10_000)])],
    );
    let again = and(stuck, retried());
    assert_eq!(order(&again).refund_state(), Some(RefundState::Pending));
    assert_eq!(order(&again).refund_round(), 2);
    expect(again, request(Some(vec![2])), vec![]);
}

#[test]
fn money_of_a_written_off_order_goes_back_no_further_than_it_came() {
    let off = events::CaptureResolved {
        action: events::CaptureAction::WriteOff,
        policy_version: None,
        reason: Some("so decided".into()),
        written_off_ore: 60_000,
    };
    let given = and(and(issued(of_prices(&[60_000])), off), last_lines(&[(1, 60_000)]));
    assert_eq!(order(&given).refund_step(&books(0, 0, 60_000)), RefundStep::Done);
}

#[test]
fn the_policy_of_this_build_is_sound_and_gives_all_back_until_the_day() {
    let policy: RefundPolicy =
        serde_json::from_str(include_str!("../../../../../../data/refund-policy.json")).unwrap();
    assert!(policy.is_sound());
    assert_eq!((policy.until_days_before, policy.share_per_mille), (0, 1000));
    assert!(
        !RefundPolicy {
            share_per_mille: 1001,
            ..policy.clone()
        }
        .is_sound()
    );
    assert!(
        !RefundPolicy {
            version: " ".into(),
            ..policy
        }
        .is_sound()
    );
}
