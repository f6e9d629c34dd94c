//! `POST /licenses/{license_id}/suspend`: a license is not valid for now, by a decision of staff.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{License, LicenseCommand, Refusal};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::LicenseStatus;

use super::revoke_license::LicensePath;
use crate::command::{Command, Plan};
use crate::operation::Operation;

/// Why a license is suspended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuspendLicense {
    /// The decision in words.
    #[schema(
        min_length = 1,
        max_length = 500,
        example = "Under investigation after the first heat"
    )]
    reason: String,
}

/// The license after a decision.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangedLicense {
    /// The license's id.
    license_id: Uuid,
    /// The license's status.
    status: LicenseStatus,
    /// The license's version.
    version: u64,
}

impl ChangedLicense {
    pub(super) fn of(license_id: Uuid, license: &License, version: u64) -> Self {
        Self {
            license_id,
            // Only an issued license accepts a command.
            status: license.status().unwrap_or(LicenseStatus::Issued),
            version,
        }
    }
}

impl Operation for SuspendLicense {
    const NAME: &'static str = "suspend_license";
    const SUMMARY: &'static str = "Suspends a license until it is reinstated. A license that is suspended already keeps its first reason.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[
        Refusal::Invalid(Vec::new()),
        Refusal::Unknown,
        Refusal::LicenseState,
    ];
    type Path = LicensePath;
    type Answer = ChangedLicense;

    fn target(path: &LicensePath) -> Result<Option<String>, Problem> {
        Ok(Some(path.license_id.to_string()))
    }
}

impl Command for SuspendLicense {
    type Aggregate = License;

    fn plan(self, LicensePath { license_id }: LicensePath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let command = LicenseCommand::Suspend { reason: self.reason };
        Ok(Plan::new(license_id, command, move |license, version| {
            ChangedLicense::of(license_id, license, version)
        }))
    }
}
