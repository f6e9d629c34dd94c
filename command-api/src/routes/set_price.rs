//! `POST /license-types/{code}/prices`: another price from a moment on. Placed orders keep theirs.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{LicenseType, LicenseTypeCommand, license_type_id};
use event_store::CommandRequest;
use serde::Deserialize;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json, Path};
use service::problem::Problem;

use crate::answer::{created, problem};
use crate::idempotency::RequestKey;
use crate::routes::{expected_version, metadata, now, staff_only};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPrice {
    price_ore: i64,
    #[serde(default, deserialize_with = "domain::typed::optional_moment")]
    valid_from: Option<DateTime<Utc>>,
}

/// 201 `{license_type_id, code, price_ore, version, position}`. Staff. `If-Match` is heeded.
pub(crate) async fn set_price(
    State(state): State<AppState>,
    principal: Principal,
    Path(code): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    staff_only(&principal)?;
    if !LicenseType::is_code(&code) {
        // No type has such a code.
        return Err(Problem::not_found());
    }
    let operation = format!("set_price:{code}");
    let key = RequestKey::from_headers(&headers)?.scoped(&operation, principal.user_id, &body);
    let Json(SetPrice {
        price_ore,
        valid_from,
    }) = Json::<SetPrice>::from_request_parts(&headers, &body)?;
    let id = license_type_id(&code);
    let call = CommandRequest {
        aggregate_id: id,
        command: LicenseTypeCommand::SetPrice {
            price_ore,
            valid_from,
            now: now(),
        },
        key,
        metadata: metadata(&principal, &headers),
        expected_version: expected_version(&headers)?,
        creates: false,
    };
    let respond = |_: &LicenseType, version| json!({"license_type_id": id, "code": code, "price_ore": price_ore, "version": version});
    state
        .command_handler
        .execute(call, respond)
        .await
        .map(created)
        .map_err(problem)
}
