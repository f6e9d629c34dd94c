//! Licenses, as far as activities count them.

use std::ops::{AddAssign, Sub};

use chrono::NaiveDate;
use events::LicenseIssued;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::Row;
use crate::bounds;
use crate::misfit::Misfit;

/// A row of `counted_licenses`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedLicense {
    pub(super) license_id: Uuid,
    pub(super) club_id: Uuid,
    pub(super) activity_date: NaiveDate,
    pub(super) license_type: String,
    pub(super) complimentary: bool,
    pub(super) checked_in: bool,
    pub(super) revoked: bool,
    pub(super) position: i64,
}

/// How many licenses of each kind, or how many more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) sold: i64,
    pub(super) complimentary: i64,
    pub(super) checked_in: i64,
    pub(super) revoked: i64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sold += other.sold;
        self.complimentary += other.complimentary;
        self.checked_in += other.checked_in;
        self.revoked += other.revoked;
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            sold: self.sold - other.sold,
            complimentary: self.complimentary - other.complimentary,
            checked_in: self.checked_in - other.checked_in,
            revoked: self.revoked - other.revoked,
        }
    }
}

impl Row for CountedLicense {
    fn id(&self) -> Uuid {
        self.license_id
    }
}

impl CountedLicense {
    pub(super) fn of(
        license_id: Uuid,
        issued: &LicenseIssued,
        complimentary: bool,
        position: i64,
    ) -> Result<Self, Misfit> {
        bounds::indexed(&issued.license_type.code, "license_type")?;
        Ok(Self {
            license_id,
            club_id: issued.club_id,
            activity_date: bounds::day(issued.activity_date, "activity_date")?,
            license_type: issued.license_type.code.clone(),
            complimentary,
            checked_in: false,
            revoked: false,
            position,
        })
    }

    /// What the license is to its activity.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            sold: i64::from(!self.revoked && !self.complimentary),
            complimentary: i64::from(!self.revoked && self.complimentary),
            checked_in: i64::from(self.checked_in),
            revoked: i64::from(self.revoked),
        }
    }
}
