//! `POST /license-types/{code}/prices/{valid_from}/withdraw`: a price that is not in force yet does not come.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, license_type_id};
use event_store::CommandRequest;
use serde::Deserialize;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json, Path};
use service::problem::Problem;

use crate::answer::{done, problem};
use crate::idempotency::RequestKey;
use crate::routes::{expected_version, metadata, now, staff_only};
use crate::state::AppState;

/// Nothing to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithdrawPrice {}

/// 200 `{license_type_id, code, valid_from, version, position}`. Staff. The body is `{}` or empty. `If-Match` is heeded.
pub(crate) async fn withdraw_price(
    State(state): State<AppState>,
    principal: Principal,
    Path((code, valid_from)): Path<(String, String)>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    staff_only(&principal)?;
    if !LicenseType::is_code(&code) {
        // No type has such a code.
        return Err(Problem::not_found());
    }
    let valid_from = moment(&valid_from).ok_or_else(not_a_moment)?;
    let operation = format!("withdraw_price:{code}:{}", valid_from.to_rfc3339());
    let key = RequestKey::from_headers(&headers)?.scoped(&operation, principal.user_id, &body);
    if !body.is_empty() {
        let Json(WithdrawPrice {}) = Json::from_request_parts(&headers, &body)?;
    }
    let id = license_type_id(&code);
    let call = CommandRequest {
        aggregate_id: id,
        command: LicenseTypeCommand::WithdrawPrice {
            valid_from,
            now: now(),
        },
        key,
        metadata: metadata(&principal, &headers),
        expected_version: expected_version(&headers)?,
        creates: false,
    };
    let respond = |_: &LicenseType, version| json!({"license_type_id": id, "code": code, "valid_from": valid_from, "version": version});
    state
        .command_handler
        .execute(call, respond)
        .await
        .map(done)
        .map_err(problem)
}

/// Any year that a log can hold: what was set by mistake before years were bounded must have a name, too.
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
