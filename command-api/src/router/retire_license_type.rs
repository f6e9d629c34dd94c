//! `POST /license-types/{code}/retire`: a type is not sold any more. Orders and licenses that exist stay.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, Refusal, license_type_id};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::LicenseTypeStatus;

use super::set_price::{TypePath, existing_code};
use crate::command::{Command, Plan};
use crate::operation::Operation;

/// An empty object.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetireLicenseType {}

/// The type that was retired.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RetiredLicenseType {
    /// The type's id.
    license_type_id: Uuid,
    /// The type's code.
    code: String,
    /// The type's status.
    status: LicenseTypeStatus,
    /// The type's version.
    version: u64,
}

impl Operation for RetireLicenseType {
    const NAME: &'static str = "retire_license_type";
    const SUMMARY: &'static str =
        "Ends the sale of a license type, for good. A type that is retired already stays so.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const BODY_MAY_BE_EMPTY: bool = true;
    const REFUSALS: &'static [Refusal] = &[Refusal::Unknown];
    type Path = TypePath;
    type Answer = RetiredLicenseType;

    fn target(path: &TypePath) -> Result<Option<String>, Problem> {
        existing_code(&path.code).map(|code| Some(code.to_owned()))
    }
}

impl Command for RetireLicenseType {
    type Aggregate = LicenseType;

    fn plan(self, TypePath { code }: TypePath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let license_type_id = license_type_id(&code);
        Ok(Plan::new(
            license_type_id,
            LicenseTypeCommand::Retire,
            move |_, version| RetiredLicenseType {
                license_type_id,
                code: code.clone(),
                status: LicenseTypeStatus::Retired,
                version,
            },
        ))
    }
}
