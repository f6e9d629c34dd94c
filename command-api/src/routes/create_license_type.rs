//! `POST /license-types`: a new entry of the catalogue.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{LicenseType, LicenseTypeCommand, NewLicenseType, license_type_id};
use event_store::CommandRequest;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json};
use service::problem::Problem;

use crate::answer::{created, problem};
use crate::idempotency::RequestKey;
use crate::routes::{metadata, now, staff_only};
use crate::state::AppState;

/// 201 `{license_type_id, code, version, position}`. Staff.
pub(crate) async fn create_license_type(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    staff_only(&principal)?;
    let key = RequestKey::from_headers(&headers)?.scoped("create_license_type", principal.user_id, &body);
    let Json(new) = Json::<NewLicenseType>::from_request_parts(&headers, &body)?;
    let (id, code) = (license_type_id(&new.code), new.code.clone());
    let call = CommandRequest {
        aggregate_id: id,
        command: LicenseTypeCommand::Create { new, now: now() },
        key,
        metadata: metadata(&principal, &headers),
        expected_version: None,
        creates: true,
    };
    let respond = |_: &LicenseType, version| json!({"license_type_id": id, "code": code, "version": version});
    state
        .command_handler
        .execute(call, respond)
        .await
        .map(created)
        .map_err(problem)
}
