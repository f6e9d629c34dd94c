//! Rule 6: what a suspension does to an order, before and after it is paid.

use std::collections::BTreeSet;

use events::{OrderEvent, RefundReason};

use super::{ORDER, and, expect, expect_refusal, fulfilled, line, paid, pending, place, placed, refund};
use crate::{Field, HolderKey, Order, OrderCommand, Refusal, Rule};

fn broken(rules: &[(&str, Rule)]) -> Refusal {
    let field = |(pointer, rule): &(&str, Rule)| Field {
        pointer: (*pointer).into(),
        rule: *rule,
    };
    Refusal::Invalid(rules.iter().map(field).collect())
}

#[test]
fn a_suspended_holder_or_vehicle_is_named_by_its_line_and_nothing_else() {
    let key = HolderKey::new(&[7; 32]).unwrap();
    let mut other = line();
    other.asked.holder.name = "Ola Nordmann".into();
    other.asked.vehicle.as_mut().unwrap().registration = Some("CD 54321".into());
    let subjects: Vec<_> = other.asked.subjects(&key).into_iter().collect();
    assert_eq!(subjects.len(), 2, "the person and the number");
    let asked = |suspended: BTreeSet<_>| {
        let mut order = place(vec![line(), other.clone()]);
        order.suspended = suspended;
        OrderCommand::Place(Box::new(order))
    };
    let person = key.person_id("OLA  nordmann", other.asked.holder.birth_date);
    let vehicle = *subjects.iter().find(|id| **id != person).unwrap();
    for (suspended, rules) in [
        (vec![person], &[("/lines/1/holder", Rule::HolderSuspended)][..]),
        (vec![vehicle], &[("/lines/1/vehicle", Rule::VehicleSuspended)]),
        (
            vec![person, vehicle],
            &[
                ("/lines/1/holder", Rule::HolderSuspended),
                ("/lines/1/vehicle", Rule::VehicleSuspended),
            ],
        ),
    ] {
        expect_refusal(vec![], asked(suspended.into_iter().collect()), broken(rules));
    }
    let mut order = place(vec![line(), other.clone()]);
    order.suspended = BTreeSet::from([ORDER]);
    assert!(order.check().is_ok(), "another one's suspension");
}

#[test]
fn what_is_asked_is_known_by_the_ids_of_what_is_ordered() {
    let key = HolderKey::new(&[7; 32]).unwrap();
    let mut order = Order::default();
    for event in and(pending(), paid()) {
        cqrs_es::Aggregate::apply(&mut order, event);
    }
    let paid = order.paid(ORDER).unwrap();
    assert_eq!(paid.subjects(&key), line().asked.subjects(&key));
}

#[test]
fn a_paid_order_of_a_suspended_holder_is_paid_back_once_and_one_with_licenses_keeps_them() {
    let refused = || OrderCommand::RefuseSuspended;
    let back: OrderEvent = refund(RefundReason::Suspended, 42_000).into();
    expect(and(pending(), paid()), refused(), vec![back.clone()]);
    expect(and(and(pending(), paid()), back), refused(), vec![]);
    expect(and(and(pending(), paid()), fulfilled()), refused(), vec![]);
    expect_refusal(vec![placed().into()], refused(), Refusal::OrderState);
    expect_refusal(pending(), refused(), Refusal::OrderState);
    expect_refusal(vec![], refused(), Refusal::Unknown);
}
