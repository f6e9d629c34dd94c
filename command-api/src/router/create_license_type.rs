//! `POST /license-types`: a new entry of the catalogue.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, NewLicenseType, Refusal, license_type_id};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Command, Plan};
use crate::operation::{NoPath, Operation};

/// The created license type.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct CreatedLicenseType {
    /// Its id, which follows from its code.
    license_type_id: Uuid,
    /// Its code.
    code: String,
    /// Its version.
    version: u64,
}

impl Operation for NewLicenseType {
    const NAME: &'static str = "create_license_type";
    const SUMMARY: &'static str = "Creates a license type with its first price.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    const CREATES: bool = true;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Exists];
    type Path = NoPath;
    type Answer = CreatedLicenseType;

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

impl Command for NewLicenseType {
    type Aggregate = LicenseType;

    fn plan(self, _: NoPath, now: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let (license_type_id, code) = (license_type_id(&self.code), self.code.clone());
        let command = LicenseTypeCommand::Create { new: self, now };
        Ok(Plan::new(license_type_id, command, move |_, version| {
            CreatedLicenseType {
                license_type_id,
                code: code.clone(),
                version,
            }
        }))
    }
}
