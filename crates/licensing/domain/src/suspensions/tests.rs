use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::{SuspensionEvent, SuspensionLifted};
use proptest::prelude::*;

use super::{NewSuspension, RequestedPerson, Suspension, SuspensionCommand, impose};
use crate::{Field, HolderKey, Refusal, RequestedVehicle, Rule};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap()
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn key() -> Arc<HolderKey> {
    Arc::new(HolderKey::new(&[7; 32]).unwrap())
}

fn person(name: &str) -> NewSuspension {
    NewSuspension {
        person: Some(RequestedPerson {
            name: name.into(),
            birth_date: date(1988, 2, 29),
        }),
        vehicle: None,
        reason: "Decision 12/2026".into(),
        until: None,
    }
}

fn vehicle(registration: &str) -> NewSuspension {
    NewSuspension {
        person: None,
        vehicle: Some(RequestedVehicle {
            registration: Some(registration.into()),
            ..RequestedVehicle::default()
        }),
        ..person("x")
    }
}

fn imposed(new: &NewSuspension) -> SuspensionEvent {
    impose(new, &key(), now()).unwrap().into()
}

fn ask(new: NewSuspension) -> SuspensionCommand {
    SuspensionCommand::Impose {
        new: Box::new(new),
        holder_key: key(),
        now: now(),
    }
}

fn lift() -> SuspensionCommand {
    SuspensionCommand::Lift {
        reason: "Appeal won".into(),
    }
}

fn lifted() -> SuspensionEvent {
    SuspensionLifted {
        reason: envelope::Personal::new("Appeal won".into()),
    }
    .into()
}

fn given(events: Vec<SuspensionEvent>) -> cqrs_es::test::AggregateTestExecutor<Suspension> {
    TestFramework::<Suspension>::with(()).given(events)
}

#[test]
fn a_suspension_is_imposed_and_lifted_once() {
    let begins = imposed(&person("Ola Nordmann"));
    given(vec![])
        .when(ask(person(" ola\u{a0}NORDMANN ")))
        .then_expect_events(vec![imposed(&person(" ola\u{a0}NORDMANN "))]);
    given(vec![begins.clone()])
        .when(ask(person("Ola Nordmann")))
        .then_expect_error(Refusal::Exists);
    given(vec![begins.clone()])
        .when(lift())
        .then_expect_events(vec![lifted()]);
    given(vec![begins, lifted()])
        .when(lift())
        .then_expect_events(vec![]);
    given(vec![]).when(lift()).then_expect_error(Refusal::Unknown);
}

#[test]
fn what_is_no_suspension_is_refused_by_its_field() {
    let mut both = person("Ola Nordmann");
    both.vehicle.clone_from(&vehicle("AB12345").vehicle);
    let mut none = person("Ola Nordmann");
    none.person = None;
    let mut ended = person("Ola Nordmann");
    ended.until = Some(date(2026, 5, 31));
    let mut unborn = person("Ola Nordmann");
    unborn.person.as_mut().unwrap().birth_date = date(2026, 6, 2);
    let mut empty = vehicle("AB12345");
    empty.vehicle = Some(RequestedVehicle::default());
    let mut unsaid = person("Ola Nordmann");
    unsaid.reason = " ".into();
    for (new, pointer, rule) in [
        (both, "/person", Rule::SuspensionSubject),
        (none, "/person", Rule::SuspensionSubject),
        (ended, "/until", Rule::UntilPast),
        (unborn, "/person/birth_date", Rule::BirthDate),
        (person("🏁"), "/person/name", Rule::NameCharacters),
        (vehicle("!"), "/vehicle/registration", Rule::VehicleNumber),
        (empty, "/vehicle", Rule::Required),
        (unsaid, "/reason", Rule::Required),
    ] {
        let pointer = pointer.into();
        given(vec![])
            .when(ask(new))
            .then_expect_error(Refusal::Invalid(vec![Field { pointer, rule }]));
    }
}

#[test]
fn it_is_in_force_through_its_last_day_in_norway_unless_it_is_lifted() {
    let mut new = person("Ola Nordmann");
    new.until = Some(date(2026, 6, 4));
    let mut suspension = Suspension::default();
    assert!(!suspension.in_force(now()), "before it is imposed");
    suspension.apply(imposed(&new));
    // Midnight in Norway is 22:00 UTC in summer.
    for (at, holds) in [
        (now(), true),
        (Utc.with_ymd_and_hms(2026, 6, 4, 21, 59, 59).unwrap(), true),
        (Utc.with_ymd_and_hms(2026, 6, 4, 22, 0, 0).unwrap(), false),
    ] {
        assert_eq!(suspension.in_force(at), holds, "{at}");
    }
    suspension.apply(lifted());
    assert!(!suspension.in_force(now()));
}

proptest! {
    #[test]
    fn a_person_and_a_vehicle_are_one_in_every_spelling_and_never_each_other(
        letters in "[A-Z]{2}", digits in "[0-9]{5}", between in "[ .\u{a0}-]{0,3}", shift in any::<bool>(),
    ) {
        let subjects = |new: &NewSuspension| impose(new, &key(), now()).unwrap().subjects;
        let plate = format!("{letters}{digits}");
        let typed = format!("{letters}{between}{digits}");
        let typed = if shift { typed.to_lowercase() } else { typed };
        prop_assert_eq!(subjects(&vehicle(&typed)), subjects(&vehicle(&plate)));
        prop_assert_ne!(subjects(&vehicle(&plate)), subjects(&person(&letters)));
        // A chassis number that looks like a registration is another vehicle's.
        let mut chassis = vehicle(&plate);
        chassis.vehicle = Some(RequestedVehicle { chassis: Some(plate.clone()), ..RequestedVehicle::default() });
        prop_assert_ne!(subjects(&chassis), subjects(&vehicle(&plate)));
        let spelled = format!(" {}\u{a0}nordmann", letters.to_lowercase());
        prop_assert_eq!(subjects(&person(&spelled)), subjects(&person(&format!("{letters} Nordmann"))));
    }
}
