//! The holder of a license is forgotten.

use chrono::NaiveDate;
use cqrs_es::test::TestFramework;
use events::{LicenseEvent, LicenseHolderErased};

use super::{issued, key, license, revoked};
use crate::licenses::{EraseHolder, License, LicenseCommand};
use crate::refusal::Refusal;

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
