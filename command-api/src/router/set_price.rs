//! `POST /license-types/{code}/prices`: another price from a moment on. Placed orders keep theirs.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, Refusal, license_type_id};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::command::{Command, Plan};
use crate::operation::Operation;

/// A price to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPrice {
    /// The price of one license, in øre.
    #[schema(minimum = 1, maximum = 10_000_000, example = 42_000)]
    pub(crate) price_ore: i64,
    /// From when on; now, if not given.
    #[serde(default, deserialize_with = "domain::typed::optional_moment")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-")]
    pub(crate) valid_from: Option<DateTime<Utc>>,
}

/// A license type.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TypePath {
    /// The type's code.
    #[param(example = "konkurranse-bilcross")]
    pub(super) code: String,
}

/// The price that was set.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PriceSet {
    /// The type's id.
    license_type_id: Uuid,
    /// The type's code.
    code: String,
    /// The price, in øre.
    price_ore: i64,
    /// The type's version.
    version: u64,
}

impl Operation for SetPrice {
    const NAME: &'static str = "set_price";
    const SUMMARY: &'static str = "Sets the price of a license type from a moment on.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Unknown, Refusal::Retired];
    type Path = TypePath;
    type Answer = PriceSet;

    fn target(path: &TypePath) -> Result<Option<String>, Problem> {
        existing_code(&path.code).map(|code| Some(code.to_owned()))
    }
}

impl Command for SetPrice {
    type Aggregate = LicenseType;

    fn plan(self, path: TypePath, now: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let (license_type_id, code, price_ore) = (license_type_id(&path.code), path.code, self.price_ore);
        let command = LicenseTypeCommand::SetPrice {
            price_ore,
            valid_from: self.valid_from,
            now,
        };
        Ok(Plan::new(license_type_id, command, move |_, version| PriceSet {
            license_type_id,
            code: code.clone(),
            price_ore,
            version,
        }))
    }
}

/// 404 for text that is the code of no license type.
pub(super) fn existing_code(code: &str) -> Result<&str, Problem> {
    if LicenseType::is_code(code) {
        Ok(code)
    } else {
        Err(Problem::not_found())
    }
}
