//! `POST /licenses/{license_id}/revoke`: a license ends by a decision of staff.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{License, LicenseCommand, Refusal};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::LicenseStatus;

use crate::command::{Command, Plan};
use crate::operation::{Operation, Who};

/// Why a license is revoked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeLicense {
    /// The decision in words.
    #[schema(min_length = 1, max_length = 500, example = "Expelled from the event")]
    reason: String,
}

/// A license.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct LicensePath {
    /// The license's id.
    pub(super) license_id: Uuid,
}

/// The license after the decision.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RevokedLicense {
    /// The license's id.
    license_id: Uuid,
    /// The license's status.
    status: LicenseStatus,
    /// The license's version.
    version: u64,
}

impl Operation for RevokeLicense {
    const NAME: &'static str = "revoke_license";
    const SUMMARY: &'static str =
        "Revokes a license. A license that is revoked already keeps its first reason.";
    const WHO: Who = Who::Staff;
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Unknown];
    type Path = LicensePath;
    type Answer = RevokedLicense;

    fn target(path: &LicensePath) -> Result<Option<String>, Problem> {
        Ok(Some(path.license_id.to_string()))
    }
}

impl Command for RevokeLicense {
    type Aggregate = License;

    fn plan(self, LicensePath { license_id }: LicensePath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let command = LicenseCommand::RevokeByStaff { reason: self.reason };
        Ok(Plan::new(license_id, command, move |_, version| RevokedLicense {
            license_id,
            status: LicenseStatus::Revoked,
            version,
        }))
    }
}
