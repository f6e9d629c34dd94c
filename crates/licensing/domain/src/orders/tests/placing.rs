//! What an order must be to be placed.

use chrono::{TimeDelta, TimeZone, Utc};
use cqrs_es::test::TestFramework;
use events::Role;

use super::{ORDER, date, expect_refusal, line, now, place, placed};
use crate::orders::{Order, OrderCommand, RequestedLine};
use crate::{Field, Refusal, RequestedGuardian, RequestedVehicle, Rule};

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
    for spelling in [
        "KARI  NORDMANN",
        "Kari\u{a0}Nordmann",
        " kari\u{202f}nordmann",
        "Ｋari Nordmann",
    ] {
        let mut again = line();
        again.asked.holder.name = spelling.into();
        assert_eq!(place(vec![line(), again]).check(), twice, "{spelling}");
    }
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
