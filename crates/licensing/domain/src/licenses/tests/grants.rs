//! Complimentary licenses.

use std::collections::BTreeSet;

use cqrs_es::test::TestFramework;
use envelope::Personal;
use events::{LicenseEvent, LicenseGranted};
use uuid::Uuid;
use vocabulary::LicenseStatus;

use super::{LICENSE, date, issued, key, license, now, revoked};
use crate::licenses::{GrantLicense, License, LicenseCommand};
use crate::orders::tests::line;
use crate::{CapClaim, ClaimChange, Field, Refusal, RequestedLine, Rule, order_number};

const GRANT: Uuid = Uuid::from_u128(7);

fn grant() -> GrantLicense {
    GrantLicense {
        grant_id: GRANT,
        given_by: Uuid::from_u128(2),
        line: line(),
        reason: " Volunteer of the club ".into(),
        suspended: BTreeSet::new(),
        holder_key: key(),
        now: now(),
    }
}

fn granted() -> LicenseEvent {
    let LicenseEvent::LicenseIssued(mut license) = issued() else {
        panic!("a license is issued");
    };
    let holder_id = license.holder_id.unwrap();
    license.order_id = GRANT;
    license.order_number = order_number(GRANT);
    license.club_id = Uuid::from_u128(1);
    license.price_ore = 0;
    license.holder = license.holder.belonging_to(holder_id);
    license.vehicle = license.vehicle.map(|vehicle| vehicle.belonging_to(holder_id));
    let reason = Personal::of(holder_id, "Volunteer of the club".to_owned());
    LicenseGranted { license, reason }.into()
}

fn give(grant: GrantLicense) -> LicenseCommand {
    LicenseCommand::Grant(Box::new(grant))
}

#[test]
fn a_license_is_given_once_and_then_lives_as_any_other() {
    TestFramework::<License>::with(())
        .given_no_previous_events()
        .when(give(grant()))
        .then_expect_events(vec![granted()]);
    for events in [vec![granted()], vec![granted(), revoked()]] {
        TestFramework::<License>::with(())
            .given(events)
            .when(give(grant()))
            .then_expect_events(vec![]);
    }
    TestFramework::<License>::with(())
        .given(vec![issued()])
        .when(give(grant()))
        .then_expect_error(Refusal::Exists);
    assert_eq!(license(&[granted()]).status(), Some(LicenseStatus::Issued));
    assert_eq!(
        license(&[granted(), revoked()]).status(),
        Some(LicenseStatus::Revoked)
    );
}

#[test]
fn the_rules_of_an_orders_line_hold() {
    let refused = |change: &dyn Fn(&mut GrantLicense)| {
        let mut asked = grant();
        change(&mut asked);
        match License::default().grant(&asked) {
            Err(Refusal::Invalid(fields)) => fields,
            other => panic!("{other:?}"),
        }
    };
    let of_line = |change: &dyn Fn(&mut RequestedLine), pointer: &str, rule: Rule| {
        let fields = refused(&|asked| change(&mut asked.line));
        assert!(
            fields.contains(&Field {
                pointer: pointer.into(),
                rule
            }),
            "{fields:?}"
        );
    };
    of_line(
        &|line| line.asked.activity_date = date(2026, 6, 4),
        "/activity_date",
        Rule::ActivityPast,
    );
    of_line(
        &|line| line.asked.activity_days = Some(2),
        "/activity_days",
        Rule::ActivityDays,
    );
    of_line(&|line| line.asked.vehicle = None, "/vehicle", Rule::Vehicle);
    of_line(&|line| line.asked.holder.phone = None, "/holder", Rule::Contact);
    of_line(&|line| line.club = None, "/club_id", Rule::Club);
    of_line(&|line| line.offer = None, "/license_type", Rule::LicenseType);
    let suspended = key().holder_id(&super::holder("Kari Nordmann"));
    let fields = refused(&|asked| asked.suspended = [suspended].into());
    assert_eq!(
        fields,
        [Field {
            pointer: "/holder".into(),
            rule: Rule::HolderSuspended
        }]
    );
    assert!(!refused(&|asked| asked.reason = " ".into()).is_empty());
}

#[test]
fn it_takes_its_days_and_its_part_of_a_cap_and_gives_them_back_when_it_is_revoked() {
    let mut event = granted();
    if let LicenseEvent::LicenseGranted(granted) = &mut event {
        (granted.license.activity_days, granted.license.lifetime_cap) = (2, Some(4));
    }
    let given = license(&[event.clone()]);
    let Some(ClaimChange::Take(claims)) = given.claim_change(LICENSE, &[event.clone()], &key()) else {
        panic!("claims are taken");
    };
    let dates: Vec<_> = claims.days.iter().map(|day| (day.license_id, day.date)).collect();
    assert_eq!(dates, [(LICENSE, date(2026, 6, 5)), (LICENSE, date(2026, 6, 6))]);
    assert!(matches!(
        &*claims.caps,
        [CapClaim {
            at_most: 4,
            license_id: LICENSE,
            ..
        }]
    ));
    let ended = license(&[event, revoked()]);
    assert_eq!(
        ended.claim_change(LICENSE, &[revoked()], &key()),
        Some(ClaimChange::Release(vec![LICENSE]))
    );
}
