//! What is added to `activities` and `activity_license_types`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use read_model::reports::activity_id;
use serde::Serialize;
use uuid::Uuid;

use super::licenses::{CountedLicense, Counts};

/// What is added to a row of `activities`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ActivityRow {
    activity_id: Uuid,
    club_id: Uuid,
    activity_date: NaiveDate,
    #[serde(flatten)]
    counts: Counts,
    version: i64,
    position: i64,
}

/// What is added to a row of `activity_license_types`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LicenseTypeRow {
    activity_id: Uuid,
    license_type: String,
    #[serde(flatten)]
    counts: Counts,
}

/// What a run of events adds.
#[derive(Clone, Default)]
pub(super) struct Activities {
    rows: BTreeMap<Uuid, ActivityRow>,
    license_types: BTreeMap<(Uuid, String), Counts>,
}

impl Activities {
    /// Adds what an event made of a license. An event that changes no count changes no row.
    pub(super) fn add(&mut self, before: Option<&CountedLicense>, license: &CountedLicense) {
        let before = before.map(CountedLicense::counts).unwrap_or_default();
        let more = license.counts() - before;
        if more == Counts::default() {
            return;
        }
        let activity_id = activity_id(license.club_id, license.activity_date);
        let row = self.rows.entry(activity_id).or_insert_with(|| ActivityRow {
            activity_id,
            club_id: license.club_id,
            activity_date: license.activity_date,
            counts: Counts::default(),
            version: 0,
            position: 0,
        });
        row.counts += more;
        row.version += 1;
        row.position = row.position.max(license.position);
        let of_type = (activity_id, license.license_type.clone());
        *self.license_types.entry(of_type).or_default() += more;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn into_rows(self) -> (Vec<ActivityRow>, Vec<LicenseTypeRow>) {
        let license_types = self.license_types.into_iter();
        let license_types = license_types.map(|((activity_id, license_type), counts)| LicenseTypeRow {
            activity_id,
            license_type,
            counts,
        });
        (self.rows.into_values().collect(), license_types.collect())
    }
}
