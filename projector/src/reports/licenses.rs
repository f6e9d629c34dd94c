//! Licenses, as far as activities and the days of the list count them.

use std::ops::{AddAssign, Sub};

use chrono::{DateTime, NaiveDate, Utc};
use events::{Category, LicenseIssued, Role};
use read_model::Word as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outline::Place;
use super::rows::Row;
use crate::bounds;
use crate::misfit::Misfit;
use crate::states::license_status;

/// A row of `counted_licenses`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all can be true"
)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedLicense {
    pub(super) license_id: Uuid,
    pub(super) club_id: Uuid,
    pub(super) activity_date: NaiveDate,
    pub(super) license_type: String,
    category: Category,
    discipline: String,
    role: Role,
    pub(super) complimentary: bool,
    pub(super) checked_in: bool,
    pub(super) suspended: bool,
    pub(super) revoked: bool,
    created_on: NaiveDate,
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
        recorded_at: DateTime<Utc>,
        position: i64,
    ) -> Result<Self, Misfit> {
        let kind = &issued.license_type;
        bounds::indexed(&kind.code, "license_type")?;
        bounds::indexed(&kind.discipline, "discipline")?;
        Ok(Self {
            license_id,
            club_id: issued.club_id,
            activity_date: bounds::day(issued.activity_date, "activity_date")?,
            license_type: kind.code.clone(),
            category: kind.category,
            discipline: kind.discipline.clone(),
            role: kind.role,
            complimentary,
            checked_in: false,
            suspended: false,
            revoked: false,
            created_on: bounds::day_in_norway(recorded_at)?,
            position,
        })
    }

    /// Where the license is counted.
    pub(super) fn place(&self) -> Place {
        let filters = [
            ("club_id", self.club_id.to_string()),
            ("license_type", self.license_type.clone()),
            ("category", self.category.to_string()),
            ("discipline", self.discipline.clone()),
            ("role", self.role.to_string()),
            ("checked_in", self.checked_in.to_string()),
        ];
        Place {
            list: "licenses",
            days: [
                ("created_at", self.created_on),
                ("activity_date", self.activity_date),
            ],
            status: license_status(self.revoked, self.suspended, self.checked_in).as_str(),
            filters: filters.into(),
        }
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
