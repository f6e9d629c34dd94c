//! A complimentary license, in its row.

use envelope::Personal;
use events::{LicenseGranted, LicenseIssued, LicenseRevokedByStaff};
use uuid::Uuid;

use super::{june, line, recorded};
use crate::licensing::licenses;
use crate::misfit::Misfit;

/// A license that staff gave, as `command-api` records it.
fn granted() -> LicenseGranted {
    let line = line(june(5), 2);
    let license = LicenseIssued {
        order_id: Uuid::from_u128(7),
        order_number: "BL-7".into(),
        line: line.line,
        customer_id: Uuid::from_u128(8),
        license_type: line.license_type,
        club_id: line.club_id,
        club_name: line.club_name,
        activity_date: line.activity_date,
        activity_days: line.activity_days,
        lifetime_cap: None,
        holder_id: Some(Uuid::from_u128(9)),
        holder: line.holder,
        vehicle: None,
        price_ore: 0,
    };
    LicenseGranted {
        license,
        reason: Personal::new("A prize".into()),
    }
}

#[test]
fn a_license_that_staff_gave_is_a_license_for_nothing() {
    let mut row = None;
    licenses::apply(&mut row, &recorded(1), granted().into()).unwrap();
    let given = row.clone().unwrap();
    assert_eq!((given.price_ore, given.line), (0, 1));
    assert_eq!(
        (given.order_id, given.order_number.as_deref()),
        (Uuid::from_u128(7), Some("BL-7"))
    );
    assert_eq!(
        (given.customer_id, given.holder_id),
        (Uuid::from_u128(8), Some(Uuid::from_u128(9)))
    );
    assert_eq!((given.activity_date, given.activity_days), (june(5), 2));
    assert_eq!(given.status.to_string(), "issued");
    assert!(
        given.search.contains("bl7") && given.search.contains("kari"),
        "{}",
        given.search
    );

    let again = licenses::apply(&mut row, &recorded(2), granted().into());
    assert_eq!(again.err(), Some(Misfit::RowExists));
}

/// A gate refuses it like every other.
#[test]
fn a_license_that_staff_gave_can_be_revoked() {
    let mut row = None;
    licenses::apply(&mut row, &recorded(1), granted().into()).unwrap();
    let revoked = LicenseRevokedByStaff {
        order_id: Uuid::from_u128(7),
        reason: Personal::new("A mistake".into()),
    };
    licenses::apply(&mut row, &recorded(2), revoked.into()).unwrap();
    licenses::note_revocation(&mut row);
    let row = row.unwrap();
    assert_eq!(row.status.to_string(), "revoked");
    assert_eq!(row.revocation_position, Some(20));
}
