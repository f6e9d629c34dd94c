//! `POST /clubs`: a club that can organize activities.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{Club, ClubCommand};
use event_store::CommandRequest;
use serde::Deserialize;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json};
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{created, problem};
use crate::idempotency::RequestKey;
use crate::routes::{metadata, staff_only};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterClub {
    name: String,
}

/// 201 `{club_id, name, version, position}`. Staff.
pub(crate) async fn register_club(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    staff_only(&principal)?;
    let key = RequestKey::from_headers(&headers)?.scoped("register_club", principal.user_id, &body);
    let Json(RegisterClub { name }) = Json::<RegisterClub>::from_request_parts(&headers, &body)?;
    let id = Uuid::now_v7();
    let call = CommandRequest {
        aggregate_id: id,
        command: ClubCommand::Register { name },
        key,
        metadata: metadata(&principal, &headers),
        expected_version: None,
        creates: true,
    };
    let respond = |club: &Club, version| json!({"club_id": id, "name": club.name(), "version": version});
    state
        .command_handler
        .execute(call, respond)
        .await
        .map(created)
        .map_err(problem)
}
