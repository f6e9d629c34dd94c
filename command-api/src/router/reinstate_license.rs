//! `POST /licenses/{license_id}/reinstate`: a suspended license is valid again, by a decision of staff.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{License, LicenseCommand, Refusal};
use serde::Deserialize;
use service::problem::Problem;
use utoipa::ToSchema;

use super::revoke_license::LicensePath;
use super::suspend_license::ChangedLicense;
use crate::command::{Command, Plan};
use crate::operation::Operation;

/// Why a license is reinstated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReinstateLicense {
    /// The decision in words.
    #[schema(min_length = 1, max_length = 500, example = "Acquitted by the stewards")]
    reason: String,
}

impl Operation for ReinstateLicense {
    const NAME: &'static str = "reinstate_license";
    const SUMMARY: &'static str = "Reinstates a suspended license.";
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

impl Command for ReinstateLicense {
    type Aggregate = License;

    fn plan(self, LicensePath { license_id }: LicensePath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let command = LicenseCommand::Reinstate { reason: self.reason };
        Ok(Plan::new(license_id, command, move |license, version| {
            ChangedLicense::of(license_id, license, version)
        }))
    }
}
