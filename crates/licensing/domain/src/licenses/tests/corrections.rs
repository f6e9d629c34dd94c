//! A corrected holder or vehicle, and what the license holds afterwards.

use events::LicenseEvent;

use super::{
    LICENSE, assert_decides, correct, corrected, correction, date, holder, issued, key, license, revoked,
    suspended,
};
use crate::{ClaimChange, Field, LineClaims, Refusal, RequestedVehicle, Rule};

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
