//! `POST /license-types/{code}/prices/{valid_from}/withdraw`: a price that is not in force yet does not come.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, Refusal, license_type_id};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::set_price::existing_code;
use crate::command::{Command, Plan};
use crate::operation::Operation;

/// An empty object.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawPrice {}

/// A price of a license type.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PricePath {
    /// The type's code.
    #[param(example = "konkurranse-bilcross")]
    code: String,
    /// From when on the price would hold.
    #[param(value_type = DateTime<Utc>, example = "2026-06-01T10:00:00Z")]
    valid_from: String,
}

/// The price that was withdrawn.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct PriceWithdrawn {
    /// The type's id.
    license_type_id: Uuid,
    /// The type's code.
    code: String,
    /// From when on the price would have held.
    valid_from: DateTime<Utc>,
    /// The type's version.
    version: u64,
}

impl Operation for WithdrawPrice {
    const NAME: &'static str = "withdraw_price";
    const SUMMARY: &'static str = "Withdraws a price that is not in force yet.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const BODY_MAY_BE_EMPTY: bool = true;
    const REFUSALS: &'static [Refusal] = &[Refusal::Unknown, Refusal::PriceInForce];
    type Path = PricePath;
    type Answer = PriceWithdrawn;

    fn target(path: &PricePath) -> Result<Option<String>, Problem> {
        let code = existing_code(&path.code)?;
        let valid_from = path.valid_from()?;
        Ok(Some(format!("{code}:{}", valid_from.to_rfc3339())))
    }
}

impl Command for WithdrawPrice {
    type Aggregate = LicenseType;

    fn plan(self, path: PricePath, now: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let (license_type_id, valid_from) = (license_type_id(&path.code), path.valid_from()?);
        let command = LicenseTypeCommand::WithdrawPrice { valid_from, now };
        Ok(Plan::new(license_type_id, command, move |_, version| {
            PriceWithdrawn {
                license_type_id,
                code: path.code.clone(),
                valid_from,
                version,
            }
        }))
    }
}

impl PricePath {
    fn valid_from(&self) -> Result<DateTime<Utc>, Problem> {
        moment(&self.valid_from).ok_or_else(not_a_moment)
    }
}

/// Any year that the log can hold: prices with a mistyped year, set before years were bounded, can be withdrawn, too.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn not_a_moment() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_path",
        "Adressen er ikke gyldig.",
        "The address is not valid.",
    )
    .field(
        "/valid_from",
        "invalid_value",
        "Tidspunktet må skrives som 2026-06-01T10:00:00Z (RFC 3339).",
        "The time must be written like 2026-06-01T10:00:00Z (RFC 3339).",
    )
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn every_price_there_may_be_has_a_name() {
        let same = moment("2026-06-01T08:00:00Z");
        assert!(same.is_some());
        assert_eq!(moment("2026-06-01T10:00:00+02:00"), same);
        assert!(moment("+20266-06-01T08:00:00Z").is_some());
        assert_eq!(moment("tomorrow"), None);
    }
}
