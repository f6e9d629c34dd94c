//! What becomes of a scan, and which time governs.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use events::LicenseEvent;
use proptest::prelude::*;
use uuid::Uuid;
use vocabulary::{ScanOutcome, Standing, Verdict};

use super::{
    again, assert_decides, check_in, first, issued, license, now, report, revoked, scan, suspended, unknown,
};
use crate::licenses::{CheckIn, License, LicenseCommand, ScanReport};
use crate::{Field, Refusal, Rule};

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
