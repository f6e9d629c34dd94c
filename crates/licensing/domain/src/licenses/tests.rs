use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use envelope::Personal;
use events::{
    Category, CorrectedHolder, Holder, LicenseCheckedIn, LicenseCorrected, LicenseEvent, LicenseHolderErased,
    LicenseIssued, LicenseReinstated, LicenseRevokedByStaff, LicenseScannedAgain, LicenseSuspended,
    LicenseTypeFacts, Role, Scan, UnknownLicenseScanned, Vehicle,
};
use proptest::prelude::*;
use uuid::Uuid;
use vocabulary::{LicenseStatus, ScanOutcome, Standing, Verdict};

use super::{CheckIn, CorrectLicense, EraseHolder, License, LicenseCommand, ScanReport};
use crate::{ClaimChange, Field, HolderKey, LineClaims, Refusal, RequestedHolder, RequestedVehicle, Rule};

const LICENSE: Uuid = Uuid::from_u128(9);
const ORDER: Uuid = Uuid::from_u128(1);

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 5, 9, 0, 0).unwrap()
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn key() -> Arc<HolderKey> {
    Arc::new(HolderKey::new(&[7; 32]).unwrap())
}

fn reason() -> Personal<String> {
    Personal::new("so decided".into())
}

fn holder(name: &str) -> Holder {
    Holder {
        name: Personal::new(name.into()),
        birth_date: Personal::new(date(1990, 5, 17)),
        phone: Some(Personal::new("+4790000000".into())),
        email: None,
        guardian: None,
    }
}

fn plate(number: &str) -> Vehicle {
    Vehicle {
        registration: Some(Personal::new(number.into())),
        ..Vehicle::default()
    }
}

fn issued() -> LicenseEvent {
    LicenseIssued {
        order_id: ORDER,
        order_number: "BL-00000-00000".into(),
        line: 1,
        customer_id: Uuid::from_u128(2),
        license_type: LicenseTypeFacts {
            code: "konkurranse-bilcross".into(),
            category: Category::Competition,
            discipline: "bilcross".into(),
            role: Role::Driver,
            name_nb: "Bilcross".into(),
            name_en: "Bilcross".into(),
        },
        club_id: Uuid::from_u128(3),
        club_name: "NMK Testby".into(),
        activity_date: date(2026, 6, 5),
        activity_days: 1,
        lifetime_cap: None,
        holder_id: Some(key().holder_id(&holder("Kari Nordmann"))),
        holder: holder("Kari Nordmann"),
        vehicle: Some(plate("AB12345")),
        price_ore: 42_000,
    }
    .into()
}

fn revoked() -> LicenseEvent {
    LicenseRevokedByStaff {
        order_id: ORDER,
        reason: reason(),
    }
    .into()
}

fn suspended() -> LicenseEvent {
    LicenseSuspended {
        order_id: ORDER,
        reason: reason(),
    }
    .into()
}

fn reinstated() -> LicenseEvent {
    LicenseReinstated {
        order_id: ORDER,
        reason: reason(),
    }
    .into()
}

fn report(number: u128) -> ScanReport {
    ScanReport {
        scan_id: Uuid::from_u128(number),
        at: now() - TimeDelta::hours(2),
        clock_offset_ms: None,
        device_id: "tablet 2".into(),
        gate: "Port 2".into(),
        verdict: Verdict::Valid,
        reason: None,
    }
}

fn scan(number: u128) -> Scan {
    Scan {
        scan_id: Uuid::from_u128(number),
        at: now() - TimeDelta::hours(2),
        clock_offset_ms: None,
        received_at: now(),
        admitted_at: now() - TimeDelta::hours(2),
        at_suspect: false,
        device_id: "tablet 2".into(),
        gate: "Port 2".into(),
        verdict: Verdict::Valid,
        reason: None,
    }
}

fn first(number: u128, standing: Standing) -> LicenseEvent {
    LicenseCheckedIn {
        order_id: ORDER,
        standing,
        scan: scan(number),
    }
    .into()
}

fn again(number: u128, standing: Standing) -> LicenseEvent {
    LicenseScannedAgain {
        order_id: ORDER,
        standing,
        scan: scan(number),
    }
    .into()
}

fn unknown(number: u128) -> LicenseEvent {
    UnknownLicenseScanned { scan: scan(number) }.into()
}

fn check_in(number: u128, invalid_since: Option<DateTime<Utc>>) -> LicenseCommand {
    LicenseCommand::CheckIn(Box::new(CheckIn {
        report: report(number),
        received_at: now(),
        invalid_since,
    }))
}

fn suspend() -> LicenseCommand {
    LicenseCommand::Suspend {
        reason: " so  decided ".into(),
    }
}

fn reinstate() -> LicenseCommand {
    LicenseCommand::Reinstate {
        reason: "so decided".into(),
    }
}

fn revoke() -> LicenseCommand {
    LicenseCommand::RevokeByStaff {
        reason: "so decided".into(),
    }
}

fn correction(holder: Option<&str>, registration: Option<&str>) -> CorrectLicense {
    CorrectLicense {
        reason: "so decided".into(),
        holder: holder.map(|name| RequestedHolder {
            name: name.into(),
            birth_date: date(1990, 5, 17),
            phone: Some("900 00 000".into()),
            email: None,
            guardian: None,
        }),
        vehicle: registration.map(|number| RequestedVehicle {
            registration: Some(number.into()),
            ..RequestedVehicle::default()
        }),
        min_age: Some(16),
        max_age: Some(70),
        suspended: BTreeSet::new(),
        holder_key: key(),
        now: now(),
    }
}

fn correct(asked: CorrectLicense) -> LicenseCommand {
    LicenseCommand::Correct(Box::new(asked))
}

fn corrected(name: Option<&str>, registration: Option<&str>) -> LicenseEvent {
    LicenseCorrected {
        order_id: ORDER,
        reason: reason(),
        holder: name.map(|name| CorrectedHolder {
            holder_id: key().holder_id(&holder(name)),
            holder: holder(name),
        }),
        vehicle: registration.map(plate),
    }
    .into()
}

fn license(events: &[LicenseEvent]) -> License {
    let mut license = License::default();
    for event in events {
        license.apply(event.clone());
    }
    license
}

/// The events, or the refusal, of a command in a state.
type Expected = Result<Vec<LicenseEvent>, Refusal>;

fn assert_decides(state: &str, given: &[LicenseEvent], when: LicenseCommand, then: Expected) {
    let decided = license(given)
        .decide(when)
        .map(|event| event.into_iter().collect::<Vec<_>>());
    assert_eq!(decided, then, "{state}");
}

/// Every command in every state.
#[test]
fn each_state_answers_each_command() {
    let before = Some(now() - TimeDelta::hours(3));
    let state = || Err(Refusal::LicenseState);
    let misspelled = || correct(correction(Some("Kari Nordmann-Berg"), None));
    let right = || Ok(vec![corrected(Some("Kari Nordmann-Berg"), None)]);
    let table: Vec<(&str, Vec<LicenseEvent>, Option<LicenseStatus>, [Expected; 5])> = vec![
        (
            "unknown",
            vec![],
            None,
            [
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Ok(vec![unknown(2)]),
            ],
        ),
        (
            "unknown, and scanned",
            vec![unknown(1)],
            None,
            [
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Err(Refusal::Unknown),
                Ok(vec![unknown(2)]),
            ],
        ),
        (
            "issued",
            vec![issued()],
            Some(LicenseStatus::Issued),
            [
                Ok(vec![suspended()]),
                state(),
                Ok(vec![revoked()]),
                right(),
                Ok(vec![first(2, Standing::Valid)]),
            ],
        ),
        (
            "issued after a scan",
            vec![unknown(1), issued()],
            Some(LicenseStatus::Issued),
            [
                Ok(vec![suspended()]),
                state(),
                Ok(vec![revoked()]),
                right(),
                Ok(vec![first(2, Standing::Valid)]),
            ],
        ),
        (
            "checked in",
            vec![issued(), first(1, Standing::Valid)],
            Some(LicenseStatus::CheckedIn),
            [
                Ok(vec![suspended()]),
                state(),
                Ok(vec![revoked()]),
                state(),
                Ok(vec![again(2, Standing::Valid)]),
            ],
        ),
        (
            "suspended",
            vec![issued(), suspended()],
            Some(LicenseStatus::Suspended),
            [
                Ok(vec![]),
                Ok(vec![reinstated()]),
                Ok(vec![revoked()]),
                right(),
                Ok(vec![first(2, Standing::WhileSuspended)]),
            ],
        ),
        (
            "suspended after check-in",
            vec![issued(), first(1, Standing::Valid), suspended()],
            Some(LicenseStatus::Suspended),
            [
                Ok(vec![]),
                Ok(vec![reinstated()]),
                Ok(vec![revoked()]),
                state(),
                Ok(vec![again(2, Standing::WhileSuspended)]),
            ],
        ),
        (
            "reinstated",
            vec![issued(), suspended(), reinstated()],
            Some(LicenseStatus::Issued),
            [
                Ok(vec![suspended()]),
                state(),
                Ok(vec![revoked()]),
                right(),
                Ok(vec![first(2, Standing::Valid)]),
            ],
        ),
        (
            "reinstated after check-in",
            vec![issued(), first(1, Standing::Valid), suspended(), reinstated()],
            Some(LicenseStatus::CheckedIn),
            [
                Ok(vec![suspended()]),
                state(),
                Ok(vec![revoked()]),
                state(),
                Ok(vec![again(2, Standing::Valid)]),
            ],
        ),
        (
            "revoked",
            vec![issued(), revoked()],
            Some(LicenseStatus::Revoked),
            [
                state(),
                state(),
                Ok(vec![]),
                state(),
                Ok(vec![first(2, Standing::AfterRevocation)]),
            ],
        ),
        (
            "revoked while suspended, after check-in",
            vec![issued(), first(1, Standing::Valid), suspended(), revoked()],
            Some(LicenseStatus::Revoked),
            [
                state(),
                state(),
                Ok(vec![]),
                state(),
                Ok(vec![again(2, Standing::AfterRevocation)]),
            ],
        ),
    ];
    for (name, given, status, [on_suspend, on_reinstate, on_revoke, on_correct, on_scan]) in table {
        assert_eq!(license(&given).status(), status, "{name}");
        assert_decides(name, &given, suspend(), on_suspend);
        assert_decides(name, &given, reinstate(), on_reinstate);
        assert_decides(name, &given, revoke(), on_revoke);
        assert_decides(name, &given, misspelled(), on_correct);
        assert_decides(name, &given, check_in(2, before), on_scan);
    }
}

#[test]
fn a_scan_from_before_a_decision_says_so() {
    let since = Some(now() - TimeDelta::hours(1));
    for (end, standing) in [
        (revoked(), Standing::BeforeRevocation),
        (suspended(), Standing::BeforeSuspension),
    ] {
        assert_decides(
            "admitted an hour earlier",
            &[issued(), end.clone()],
            check_in(2, since),
            Ok(vec![first(2, standing)]),
        );
        assert_decides(
            "and again",
            &[issued(), first(1, Standing::Valid), end],
            check_in(2, since),
            Ok(vec![again(2, standing)]),
        );
    }
}

#[test]
fn the_first_in_the_log_stays_the_check_in() {
    for (given, number, outcome) in [
        (vec![issued(), first(1, Standing::Valid)], 1, ScanOutcome::First),
        (
            vec![issued(), first(1, Standing::BeforeRevocation)],
            1,
            ScanOutcome::First,
        ),
        (
            vec![issued(), first(1, Standing::AfterRevocation)],
            1,
            ScanOutcome::AfterRevocation,
        ),
        (
            vec![
                issued(),
                first(1, Standing::Valid),
                again(2, Standing::AfterRevocation),
            ],
            2,
            ScanOutcome::Duplicate,
        ),
        (vec![unknown(1)], 1, ScanOutcome::UnknownLicense),
    ] {
        let license = license(&given);
        assert_eq!(license.outcome(Uuid::from_u128(number)), outcome, "{given:?}");
        let first = license.check_in().map(|first| (first.at, first.gate.as_str()));
        let known = outcome != ScanOutcome::UnknownLicense;
        assert_eq!(first, known.then_some((scan(1).admitted_at, "Port 2")));
    }
}

#[test]
fn the_number_of_recorded_scans_is_bounded() {
    let mut busy = license(&[issued(), first(1, Standing::Valid)]);
    for number in 2..=1000 {
        busy.apply(again(number, Standing::Valid));
    }
    assert_eq!(busy.decide(check_in(2000, None)), Ok(None));
    assert_eq!(busy.outcome(Uuid::from_u128(2000)), ScanOutcome::Duplicate);
}

fn admitted(at: DateTime<Utc>, clock_offset_ms: Option<i64>) -> (DateTime<Utc>, bool) {
    let asked = CheckIn {
        report: ScanReport {
            at,
            clock_offset_ms,
            ..report(1)
        },
        received_at: now(),
        invalid_since: None,
    };
    let event = license(&[issued()])
        .decide(LicenseCommand::CheckIn(Box::new(asked)))
        .unwrap();
    let Some(LicenseEvent::LicenseCheckedIn(checked_in)) = event else {
        panic!("{event:?}")
    };
    assert_eq!((checked_in.scan.at, checked_in.scan.received_at), (at, now()));
    (checked_in.scan.admitted_at, checked_in.scan.at_suspect)
}

#[test]
fn a_time_that_cannot_be_right_is_flagged_and_receipt_governs() {
    let (second, day) = (TimeDelta::seconds(1), TimeDelta::days(1));
    for (at, offset_ms, expected) in [
        (now() - day, None, (now() - day, false)),
        (now() - day, Some(60_000), (now() - day + second * 60, false)),
        (now() - day * 7, None, (now() - day * 7, false)),
        (now() - day * 7 - second, None, (now(), true)),
        (now() + second * 300, None, (now(), false)),
        (now() + second * 301, None, (now(), true)),
        (now() + day * 400, Some(-400 * 86_400_000), (now(), false)),
        (now() - day * 400, Some(399 * 86_400_000), (now() - day, false)),
    ] {
        assert_eq!(admitted(at, offset_ms), expected, "{at} {offset_ms:?}");
    }
}

proptest! {
    #[test]
    fn admission_is_never_after_receipt_nor_long_before(
        minutes in -20_000_000_i64..20_000_000, offset_ms in -316_224_000_000_i64..=316_224_000_000,
    ) {
        let (at, suspect) = admitted(now() + TimeDelta::minutes(minutes), Some(offset_ms));
        prop_assert!(at <= now() && at >= now() - TimeDelta::days(7));
        prop_assert!(!suspect || at == now());
    }
}

#[test]
fn a_report_that_cannot_be_read_names_its_fields() {
    let mut wrong = report(1);
    wrong.device_id = " ".into();
    wrong.gate = "x".repeat(65);
    wrong.reason = Some("01010750160".into());
    wrong.verdict = Verdict::WrongDay;
    wrong.clock_offset_ms = Some(i64::MIN);
    let asked = CheckIn {
        report: wrong,
        received_at: now(),
        invalid_since: None,
    };
    let field = |pointer: &str, rule| Field {
        pointer: pointer.into(),
        rule,
    };
    TestFramework::<License>::with(())
        .given(vec![issued()])
        .when(LicenseCommand::CheckIn(Box::new(asked)))
        .then_expect_error(Refusal::Invalid(vec![
            field("/device_id", Rule::Required),
            field("/gate", Rule::TextTooLong),
            field("/reason", Rule::NationalIdentityNumber),
            field("/verdict", Rule::Verdict),
            field("/clock_offset_ms", Rule::ClockOffset),
        ]));
}

#[test]
fn a_correction_follows_the_rules_of_an_order() {
    let mut minor = correction(Some("Kari Nordmann"), None);
    minor.holder.as_mut().unwrap().birth_date = date(2010, 6, 6);
    let mut old = correction(Some("Kari Nordmann"), None);
    old.holder.as_mut().unwrap().birth_date = date(1950, 1, 1);
    let mut nameless = correction(Some("🏁"), None);
    nameless.holder.as_mut().unwrap().phone = None;
    let mut on_foot = correction(None, Some("AB12345"));
    on_foot.vehicle = Some(RequestedVehicle::default());
    let mut banned = correction(Some("Ola Nordmann"), Some("CD12345"));
    banned.suspended = banned.subjects();
    for (asked, broken) in [
        (
            minor,
            vec![
                ("/holder/guardian", Rule::Guardian),
                ("/holder/birth_date", Rule::TooYoung),
            ],
        ),
        (old, vec![("/holder/birth_date", Rule::TooOld)]),
        (
            nameless,
            vec![("/holder/name", Rule::NameCharacters), ("/holder", Rule::Contact)],
        ),
        (on_foot, vec![("/vehicle", Rule::Vehicle)]),
        (
            banned,
            vec![
                ("/holder", Rule::HolderSuspended),
                ("/vehicle", Rule::VehicleSuspended),
            ],
        ),
        (correction(None, None), vec![("/holder", Rule::NothingToCorrect)]),
    ] {
        let field = |(pointer, rule): (&str, Rule)| Field {
            pointer: pointer.into(),
            rule,
        };
        assert_decides(
            "broken",
            &[issued()],
            correct(asked),
            Err(Refusal::Invalid(broken.into_iter().map(field).collect())),
        );
    }
    assert_decides(
        "nothing is wrong",
        &[issued()],
        correct(correction(Some("Kari  Nordmann"), Some("ab 12345"))),
        Ok(vec![]),
    );
    assert_decides(
        "after another correction",
        &[issued(), corrected(None, Some("CD12345"))],
        correct(correction(None, Some("AB12345"))),
        Ok(vec![corrected(None, Some("AB12345"))]),
    );
}

/// The days move to the corrected holder in the same command; nothing moves when only the vehicle was wrong.
#[test]
fn a_corrected_holder_takes_the_days_along() {
    let change = |events: &[LicenseEvent]| {
        let mut all = vec![issued()];
        all.extend_from_slice(events);
        license(&all).claim_change(LICENSE, events, &key())
    };
    let Some(ClaimChange::Move(LICENSE, LineClaims { days, caps })) =
        change(&[corrected(Some("Ola Nordmann"), None)])
    else {
        panic!("no move")
    };
    assert_eq!(caps, []);
    let ola = key().holder_id(&holder("Ola Nordmann"));
    let keys: Vec<_> = days
        .iter()
        .map(|day| (day.license_id, day.key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [(LICENSE, format!("konkurranse-bilcross 2026-06-05 {ola}").as_str())]
    );
    assert_eq!(change(&[corrected(None, Some("CD12345"))]), None);
    assert_eq!(change(&[suspended()]), None);
    assert_eq!(change(&[revoked()]), Some(ClaimChange::Release(vec![LICENSE])));
}

fn erase(today: NaiveDate, decided_before: bool) -> LicenseCommand {
    let LicenseEvent::LicenseIssued(license) = issued() else {
        panic!()
    };
    LicenseCommand::EraseHolder(Box::new(EraseHolder {
        holder_id: license
            .holder_id
            .unwrap_or_else(|| key().holder_id(&license.holder)),
        holder_key: key(),
        today,
        decided_before,
    }))
}

#[test]
fn a_license_keeps_its_holder_as_long_as_it_is_valid() {
    let LicenseEvent::LicenseIssued(facts) = issued() else {
        panic!()
    };
    let (day, holder_id) = (
        facts.activity_date,
        facts.holder_id.unwrap_or_else(|| key().holder_id(&facts.holder)),
    );
    let erased: LicenseEvent = LicenseHolderErased { holder_id }.into();
    let after = crate::last_day(day, facts.activity_days).succ_opt().unwrap();
    let given = |events: Vec<LicenseEvent>| TestFramework::<License>::with(()).given(events);
    given(vec![issued()])
        .when(erase(day, false))
        .then_expect_error(Refusal::ErasureLicenseValid);
    given(vec![issued(), revoked()])
        .when(erase(day, false))
        .then_expect_events(vec![erased.clone()]);
    given(vec![issued()])
        .when(erase(after, false))
        .then_expect_events(vec![erased.clone()]);
    given(vec![issued()])
        .when(erase(day, true))
        .then_expect_events(vec![erased.clone()]);
    given(vec![issued(), erased.clone()])
        .when(erase(after, false))
        .then_expect_events(vec![]);
    let license = license(&[issued(), erased]);
    let issued = license.issued().unwrap();
    assert!(issued.holder.name.is_erased() && issued.vehicle.is_none());
}
