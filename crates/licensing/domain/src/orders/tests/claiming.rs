//! Which days an order holds, and when it gives them back.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, TimeDelta};
use cqrs_es::Aggregate as _;
use events::{CancelReason, OrderCancelled, OrderEvent, OrderExpired, RefundReason};
use proptest::prelude::*;

use super::{
    ORDER, confirm, date, expect, fulfilled, line, now, paid, pending, place, placed, refund, requested,
};
use crate::orders::{ClaimChange, LineClaims, Order, OrderCommand, RequestedLine};
use crate::{Field, HolderKey, Refusal, Rule};

fn key() -> HolderKey {
    HolderKey::new(&[7; 32]).unwrap()
}

/// The order after these events.
fn order(events: &[OrderEvent]) -> Order {
    let mut order = Order::default();
    events.iter().cloned().for_each(|event| order.apply(event));
    order
}

/// What the last of these events does to the claims.
fn last_change(events: &[OrderEvent]) -> Option<ClaimChange> {
    let last = events.last().cloned().into_iter().collect::<Vec<_>>();
    order(events).claim_change(&last, &key())
}

fn span(first: NaiveDate, days: u8) -> RequestedLine {
    let mut line = line();
    line.asked.activity_date = first;
    line.asked.activity_days = Some(days);
    line.offer.as_mut().unwrap().max_days = 3;
    line
}

fn findings(lines: Vec<RequestedLine>) -> Vec<Field> {
    match place(lines).check() {
        Ok(_) => Vec::new(),
        Err(Refusal::Invalid(fields)) => fields,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_order_takes_its_days_when_it_is_placed_and_again_when_it_is_paid() {
    let license = crate::license_id(ORDER, 1);
    let taken = last_change(&[placed().into()]);
    let Some(ClaimChange::Take(LineClaims { days, caps })) = &taken else {
        panic!("{taken:?}")
    };
    assert!(caps.is_empty(), "a type without a cap");
    assert_eq!(days.len(), 1);
    assert_eq!(
        (days[0].license_id, days[0].line, days[0].date),
        (license, 1, date(2026, 6, 5))
    );
    assert_eq!(last_change(&pending()), None);
    let mut life = pending();
    life.push(paid().into());
    assert_eq!(last_change(&life), taken);
    life.push(fulfilled().into());
    assert_eq!(last_change(&life), None);
    // An order that had expired takes its days once more.
    let revived = [placed().into(), OrderExpired {}.into(), paid().into()];
    assert_eq!(last_change(&revived), taken);
}

#[test]
fn an_order_that_ends_without_licenses_gives_its_days_back_and_licenses_hold_theirs_until_revoked() {
    let given_back = Some(ClaimChange::Release(vec![crate::license_id(ORDER, 1)]));
    let declined = OrderCancelled {
        reason: CancelReason::PaymentDeclined,
    };
    let late = || refund(RefundReason::PaidTooLate, 42_000);
    for end in [declined.into(), OrderExpired {}.into(), OrderEvent::from(late())] {
        let life = [placed().into(), requested().into(), end];
        assert_eq!(last_change(&life), given_back, "{:?}", life[2]);
        assert!(order(&life).held_claims(&key()).days.is_empty());
    }
    let mut life = pending();
    life.extend([paid().into(), fulfilled().into(), late().into()]);
    assert_eq!(last_change(&life), None);
    assert_eq!(order(&life).held_claims(&key()).days.len(), 1);
}

#[test]
fn a_payment_for_days_that_others_hold_by_now_goes_back() {
    let OrderCommand::ConfirmPayment {
        reference,
        authorized_ore,
        now,
        ..
    } = confirm(42_000, now() + TimeDelta::hours(1))
    else {
        panic!("a confirmation")
    };
    let confirm = OrderCommand::ConfirmPayment {
        reference,
        authorized_ore,
        now,
        days_taken: true,
    };
    // Also an order that still waits: it may be older than claims, and never got its days.
    let expired = vec![placed().into(), OrderExpired {}.into()];
    for waiting in [expired, vec![placed().into()], pending()] {
        let back = refund(RefundReason::PaidTooLate, 42_000);
        expect(waiting, confirm.clone(), vec![back.into()]);
    }
}

#[test]
fn one_person_is_one_holder_in_every_spelling_and_nobody_else_is() {
    let id = |name: &str, born| {
        let mut line = line();
        line.asked.holder.name = name.into();
        line.asked.holder.birth_date = born;
        let placed = place(vec![line]).check().unwrap();
        key().holder_id(&placed.lines[0].holder)
    };
    let born = date(1990, 5, 17);
    let kari = id("Kari \u{c5}sen", born);
    for spelling in ["kari \u{e5}sen", "KARI  A\u{30a}SEN", " Kari\u{a0}\u{212b}sen "] {
        assert_eq!(id(spelling, born), kari, "{spelling:?}");
    }
    assert_ne!(id("Kari Asen", born), kari);
    assert_ne!(id("Kari \u{c5}sen", date(1990, 5, 18)), kari);
    let other_key = HolderKey::new(&[8; 32]).unwrap();
    let placed = place(vec![line()]).check().unwrap();
    let holder = &placed.lines[0].holder;
    assert_ne!(other_key.holder_id(holder), key().holder_id(holder));
    assert_ne!(other_key.fingerprint(), key().fingerprint());
    assert!(HolderKey::new(&[7; 31]).is_none(), "a short key can be guessed");
}

#[test]
fn the_last_day_of_a_span_is_at_most_a_year_ahead() {
    let today = now().date_naive();
    let ahead = |days: u64, count: u8| findings(vec![span(today + Days::new(days), count)]);
    assert!(ahead(365, 1).is_empty() && ahead(363, 3).is_empty());
    for (days, count) in [(366, 1), (365, 2), (364, 3), (365, 3)] {
        let found = ahead(days, count);
        assert!(
            found.iter().any(|field| field.rule == Rule::ActivityTooFar),
            "{days} {count}: {found:?}"
        );
    }
}

proptest! {
    /// Two spans of one holder and type fit into one order exactly when they share no day, and then hold each day once.
    #[test]
    fn spans_that_share_a_day_are_refused(gap in 0_u64..6, first in 1_u8..=3, second in 1_u8..=3) {
        let begin = date(2026, 7, 1);
        let other = begin + Days::new(gap);
        let shared = gap < u64::from(first);
        let lines = vec![span(begin, first), span(other, second)];
        let found = findings(lines.clone());
        prop_assert_eq!(found.iter().any(|field| field.rule == Rule::Duplicate), shared);
        let held = place(lines).claims().days;
        let distinct: BTreeSet<&str> = held.iter().map(|day| day.key.as_str()).collect();
        prop_assert_eq!(distinct.len(), held.len());
        prop_assert_eq!(held.len(), if shared { 0 } else { usize::from(first + second) });
    }
}
