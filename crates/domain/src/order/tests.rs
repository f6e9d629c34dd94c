use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::{
    CancelReason, Category, LicenseEvent, LicenseTypeFacts, OrderCancelled, OrderEvent, OrderExpired,
    OrderFulfilled, OrderPaid, OrderPlaced, OrderRefunded, PaymentCaptured, PaymentRequested, RefundReason,
    RefundRequested, Role,
};
use uuid::Uuid;

use super::{AskedLine, Order, OrderClub, OrderCommand, PlaceOrder, RequestedLine};
use crate::{
    Field, License, LicenseCommand, Offer, Refusal, RequestedGuardian, RequestedHolder, RequestedVehicle,
    Rule,
};

const ORDER: Uuid = Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_0001);

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap()
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn line() -> RequestedLine {
    RequestedLine {
        asked: AskedLine {
            license_type: "konkurranse-bilcross".into(),
            club_id: Uuid::from_u128(1),
            activity_date: date(2026, 6, 5),
            activity_days: None,
            holder: RequestedHolder {
                name: "Kari Nordmann".into(),
                birth_date: date(1990, 5, 17),
                phone: Some("900 00 000".into()),
                email: None,
                guardian: None,
            },
            vehicle: Some(RequestedVehicle {
                registration: Some("ab12345".into()),
                ..RequestedVehicle::default()
            }),
        },
        offer: Some(Offer {
            facts: LicenseTypeFacts {
                code: "konkurranse-bilcross".into(),
                category: Category::Competition,
                discipline: "bilcross".into(),
                role: Role::Driver,
                name_nb: "Bilcross".into(),
                name_en: "Bilcross".into(),
            },
            price_ore: 42_000,
            min_age: None,
            max_age: None,
            max_days: 1,
        }),
        club: Some(OrderClub {
            club_id: Uuid::from_u128(1),
            name: "NMK Testby".into(),
        }),
    }
}

fn place(lines: Vec<RequestedLine>) -> PlaceOrder {
    PlaceOrder {
        order_id: ORDER,
        customer_id: Uuid::from_u128(2),
        lines,
        payment_provider: "vipps".into(),
        terms_version: "2026-01".into(),
        now: now(),
        time_to_pay: TimeDelta::minutes(15),
    }
}

fn placed() -> OrderPlaced {
    place(vec![line()]).check().unwrap()
}

fn requested() -> PaymentRequested {
    PaymentRequested {
        provider: "vipps".into(),
        reference: ORDER.to_string(),
        redirect_url: "https://pay.example/1".into(),
        amount_ore: 42_000,
    }
}

fn paid() -> OrderPaid {
    OrderPaid {
        provider: "vipps".into(),
        reference: ORDER.to_string(),
        authorized_ore: 42_000,
    }
}

fn fulfilled() -> OrderFulfilled {
    OrderFulfilled {
        license_ids: vec![crate::license_id(ORDER, 1)],
    }
}

fn refund(reason: RefundReason, amount_ore: i64) -> RefundRequested {
    RefundRequested {
        reason,
        reference: ORDER.to_string(),
        amount_ore,
    }
}

fn confirm(authorized_ore: i64, now: DateTime<Utc>) -> OrderCommand {
    OrderCommand::ConfirmPayment {
        reference: ORDER.to_string(),
        authorized_ore,
        now,
    }
}

fn pending() -> Vec<OrderEvent> {
    vec![placed().into(), requested().into()]
}

fn and(mut events: Vec<OrderEvent>, more: impl Into<OrderEvent>) -> Vec<OrderEvent> {
    events.push(more.into());
    events
}

fn expect(given: Vec<OrderEvent>, when: OrderCommand, then: Vec<OrderEvent>) {
    TestFramework::<Order>::with(())
        .given(given)
        .when(when)
        .then_expect_events(then);
}

fn expect_refusal(given: Vec<OrderEvent>, when: OrderCommand, refusal: Refusal) {
    TestFramework::<Order>::with(())
        .given(given)
        .when(when)
        .then_expect_error(refusal);
}

/// The fields and rules that placing an order with one changed line runs into.
fn findings(change: impl Fn(&mut RequestedLine)) -> Vec<(String, Rule)> {
    let mut line = line();
    change(&mut line);
    match place(vec![line]).check() {
        Ok(_) => Vec::new(),
        Err(Refusal::Invalid(fields)) => fields
            .into_iter()
            .map(|Field { pointer, rule }| (pointer, rule))
            .collect(),
        Err(other) => panic!("{other}"),
    }
}

fn finding(pointer: &str, rule: Rule) -> Vec<(String, Rule)> {
    vec![(pointer.to_owned(), rule)]
}

#[test]
fn the_price_is_the_catalogues_and_the_total_is_their_sum() {
    let mut passenger = line();
    let offer = passenger.offer.as_mut().unwrap();
    offer.facts.role = Role::Passenger;
    offer.price_ore = 22_000;
    passenger.asked.vehicle = None;
    passenger.asked.holder.name = "Ola Nordmann".into();
    let order = place(vec![line(), passenger]).check().unwrap();
    assert_eq!(order.total_ore, 64_000);
    assert_eq!(
        order.lines.iter().map(|line| line.price_ore).collect::<Vec<_>>(),
        [42_000, 22_000]
    );
    assert_eq!(order.lines[1].license_id, crate::license_id(ORDER, 2));
    assert_eq!(order.expires_at, now() + TimeDelta::minutes(15));
    assert_eq!(order.payment_reference, ORDER.to_string());
    let registration = order.lines[0]
        .vehicle
        .as_ref()
        .and_then(|vehicle| vehicle.registration.as_ref());
    assert_eq!(registration.unwrap().expose(), "AB12345");
}

#[test]
fn an_order_is_placed_once() {
    TestFramework::<Order>::with(())
        .given_no_previous_events()
        .when(OrderCommand::Place(Box::new(place(vec![line()]))))
        .then_expect_events(vec![placed().into()]);
    expect_refusal(
        vec![placed().into()],
        OrderCommand::Place(Box::new(place(vec![line()]))),
        Refusal::Exists,
    );
}

#[test]
fn an_order_has_1_to_100_lines() {
    let count = |lines: Vec<RequestedLine>| place(lines).check();
    let refused = Err(Refusal::Invalid(vec![Field {
        pointer: "/lines".into(),
        rule: Rule::LineCount,
    }]));
    assert_eq!(count(Vec::new()), refused);
    assert_eq!(count(vec![line(); 101]), refused);
    let hundred = (0..100)
        .map(|n| {
            let mut line = line();
            line.asked.holder.name = format!("Kari Nordmann {n}");
            line
        })
        .collect();
    assert_eq!(count(hundred).unwrap().lines.len(), 100);
}

#[test]
fn the_day_is_today_to_365_days_ahead_in_norway() {
    let on = |day| findings(|line| line.asked.activity_date = day);
    assert_eq!(on(date(2026, 6, 1)), []);
    assert_eq!(on(date(2027, 6, 1)), []);
    assert_eq!(
        on(date(2026, 5, 31)),
        finding("/lines/0/activity_date", Rule::ActivityPast)
    );
    assert_eq!(
        on(date(2027, 6, 2)),
        finding("/lines/0/activity_date", Rule::ActivityTooFar)
    );
    // 22:30 UTC on 31 May is 1 June in Oslo.
    let mut late = place(vec![line()]);
    late.lines[0].asked.activity_date = date(2026, 5, 31);
    late.now = Utc.with_ymd_and_hms(2026, 5, 31, 22, 30, 0).unwrap();
    assert!(late.check().is_err());
}

#[test]
fn a_driver_needs_a_vehicle_and_a_passenger_does_not() {
    let without = findings(|line| line.asked.vehicle = None);
    assert_eq!(without, finding("/lines/0/vehicle", Rule::Vehicle));
    let blank = findings(|line| {
        line.asked.vehicle = Some(RequestedVehicle {
            chassis: Some(" ".into()),
            ..Default::default()
        });
    });
    assert_eq!(blank, finding("/lines/0/vehicle", Rule::Vehicle));
    for role in [Role::Codriver, Role::Companion, Role::Passenger] {
        let fine = findings(|line| {
            line.asked.vehicle = None;
            line.offer.as_mut().unwrap().facts.role = role;
        });
        assert_eq!(fine, []);
    }
}

#[test]
fn a_minor_needs_a_guardian_who_consents() {
    let guardian = |consent| {
        Some(RequestedGuardian {
            name: "Per Nordmann".into(),
            phone: "22222222".into(),
            consent,
        })
    };
    let born = |birth_date, guardian: Option<RequestedGuardian>| {
        findings(|line| {
            line.asked.holder.birth_date = birth_date;
            line.asked.holder.guardian = guardian.clone();
        })
    };
    let required = finding("/lines/0/holder/guardian", Rule::Guardian);
    // Eighteen on the activity day itself, not on the day of the order.
    assert_eq!(born(date(2008, 6, 5), None), []);
    assert_eq!(born(date(2008, 6, 6), None), required);
    assert_eq!(born(date(2008, 6, 6), guardian(false)), required);
    assert_eq!(born(date(2008, 6, 6), guardian(true)), []);
}

#[test]
fn a_type_has_its_ages() {
    let between = |birth_date| {
        findings(|line| {
            line.asked.holder.birth_date = birth_date;
            let offer = line.offer.as_mut().unwrap();
            (offer.min_age, offer.max_age) = (Some(20), Some(30));
        })
    };
    assert_eq!(
        between(date(2006, 6, 6)),
        finding("/lines/0/holder/birth_date", Rule::TooYoung)
    );
    assert_eq!(between(date(2006, 6, 5)), []);
    assert_eq!(between(date(1995, 6, 6)), []);
    assert_eq!(
        between(date(1995, 6, 5)),
        finding("/lines/0/holder/birth_date", Rule::TooOld)
    );
}

#[test]
fn only_a_type_that_says_so_spans_days() {
    let spanning = |days, max_days| {
        findings(|line| {
            line.asked.activity_days = Some(days);
            line.offer.as_mut().unwrap().max_days = max_days;
        })
    };
    assert_eq!(spanning(3, 3), []);
    for (days, most) in [(0, 3), (4, 3), (2, 1)] {
        assert_eq!(
            spanning(days, most),
            finding("/lines/0/activity_days", Rule::ActivityDays)
        );
    }
}

#[test]
fn what_the_catalogue_does_not_have_is_refused() {
    assert_eq!(
        findings(|line| line.offer = None),
        finding("/lines/0/license_type", Rule::LicenseType)
    );
    assert_eq!(
        findings(|line| line.club = None),
        finding("/lines/0/club_id", Rule::Club)
    );
}

#[test]
fn a_holder_can_be_reached_and_was_born() {
    let contact = findings(|line| line.asked.holder.phone = None);
    assert_eq!(contact, finding("/lines/0/holder", Rule::Contact));
    for birth_date in [date(2026, 6, 2), date(1890, 1, 1)] {
        let found = findings(|line| line.asked.holder.birth_date = birth_date);
        assert!(
            found.contains(&("/lines/0/holder/birth_date".into(), Rule::BirthDate)),
            "{found:?}"
        );
    }
    let number = findings(|line| line.asked.holder.name = "01010750160".into());
    assert_eq!(
        number,
        finding("/lines/0/holder/name", Rule::NationalIdentityNumber)
    );
}

#[test]
fn the_same_license_twice_is_refused_and_all_findings_come_at_once() {
    let twice = place(vec![line(), line()]).check();
    assert_eq!(
        twice,
        Err(Refusal::Invalid(vec![Field {
            pointer: "/lines/1".into(),
            rule: Rule::Duplicate
        }]))
    );
    let mut wrong = place(vec![line(), line()]);
    wrong.lines[0].club = None;
    wrong.lines[1].asked.holder.phone = Some("x".into());
    wrong.terms_version = String::new();
    let Err(Refusal::Invalid(fields)) = wrong.check() else {
        panic!("accepted")
    };
    let pointers: Vec<_> = fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/accept_terms_version",
            "/lines/0/club_id",
            "/lines/1/holder/phone"
        ]
    );
}

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
    };
    expect_refusal(pending(), foreign, Refusal::PaymentMismatch);
    // A prefix is not the reference.
    let prefix = OrderCommand::ConfirmPayment {
        reference: ORDER.to_string()[..20].into(),
        authorized_ore: 42_000,
        now: now(),
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
    let lose = |reference: Uuid| OrderCommand::LosePayment {
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
fn only_a_paid_order_is_fulfilled_and_captured() {
    let capture = || OrderCommand::RecordCapture { captured_ore: 42_000 };
    let captured = PaymentCaptured {
        reference: ORDER.to_string(),
        captured_ore: 42_000,
    };
    for given in [pending(), and(pending(), OrderExpired {})] {
        expect_refusal(given.clone(), OrderCommand::Fulfill, Refusal::OrderState);
        expect_refusal(given, capture(), Refusal::OrderState);
    }
    let paid = and(pending(), paid());
    expect(paid.clone(), OrderCommand::Fulfill, vec![fulfilled().into()]);
    let fulfilled = and(paid, fulfilled());
    expect(fulfilled.clone(), OrderCommand::Fulfill, vec![]);
    expect(fulfilled.clone(), capture(), vec![captured.clone().into()]);
    expect(and(fulfilled, captured), capture(), vec![]);
}

#[test]
fn money_goes_back_once() {
    let given = and(pending(), refund(RefundReason::WrongAmount, 41_000));
    let back = || OrderCommand::RecordRefund {
        released_ore: 41_000,
        refunded_ore: 0,
    };
    let refunded = OrderRefunded {
        reference: ORDER.to_string(),
        released_ore: 41_000,
        refunded_ore: 0,
    };
    expect(given.clone(), back(), vec![refunded.clone().into()]);
    expect(and(given.clone(), refunded), back(), vec![]);
    expect_refusal(pending(), back(), Refusal::OrderState);
    expect_refusal(given, OrderCommand::Fulfill, Refusal::OrderState);
}

#[test]
fn where_to_pay_is_noted_once_and_never_sets_an_order_back() {
    let note = || OrderCommand::RequestPayment {
        redirect_url: "https://pay.example/1".into(),
    };
    expect(vec![placed().into()], note(), vec![requested().into()]);
    expect(pending(), note(), vec![]);
    expect(vec![placed().into(), paid().into()], note(), vec![]);
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
        .given(vec![issued])
        .when(issue(1))
        .then_expect_events(vec![]);
    TestFramework::<License>::with(())
        .given_no_previous_events()
        .when(issue(2))
        .then_expect_error(Refusal::Unknown);
}
