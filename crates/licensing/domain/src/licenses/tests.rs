mod corrections;
mod erasing;
mod grants;
mod life;
mod scans;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use cqrs_es::Aggregate;
use envelope::Personal;
use events::{
    Category, CorrectedHolder, Holder, LicenseCheckedIn, LicenseCorrected, LicenseEvent, LicenseIssued,
    LicenseReinstated, LicenseRevokedByStaff, LicenseScannedAgain, LicenseSuspended, LicenseTypeFacts, Role,
    Scan, UnknownLicenseScanned, Vehicle,
};
use uuid::Uuid;
use vocabulary::{Standing, Verdict};

use super::{CheckIn, CorrectLicense, License, LicenseCommand, ScanReport};
use crate::{HolderKey, Refusal, RequestedHolder, RequestedVehicle};

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

#[expect(clippy::needless_pass_by_value, reason = "a row of a table")]
fn assert_decides(state: &str, given: &[LicenseEvent], when: LicenseCommand, then: Expected) {
    let decided = license(given)
        .decide(when)
        .map(|event| event.into_iter().collect::<Vec<_>>());
    assert_eq!(decided, then, "{state}");
}
