//! `POST /orders/{order_id}/capture-resolution`: what becomes of licenses whose money can't be collected.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{Order, OrderCommand, Resolution};
use event_store::CommandRequest;
use serde_json::json;
use service::auth::Principal;
use service::extract::{Body, Json, Path};
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::{done, problem};
use crate::idempotency::RequestKey;
use crate::routes::{expected_version, metadata, staff_only};
use crate::state::AppState;

/// 200 `{order_id, status, action, version, position}`. Staff. `If-Match` is heeded.
pub(crate) async fn resolve_capture(
    State(state): State<AppState>,
    principal: Principal,
    Path(order_id): Path<Uuid>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    staff_only(&principal)?;
    let operation = format!("resolve_capture:{order_id}");
    let key = RequestKey::from_headers(&headers)?.scoped(&operation, principal.user_id, &body);
    let Json(resolution) = Json::<Resolution>::from_request_parts(&headers, &body)?;
    let action = resolution.action;
    let call = CommandRequest {
        aggregate_id: order_id,
        command: OrderCommand::ResolveCapture(resolution),
        key,
        metadata: metadata(&principal, &headers),
        expected_version: expected_version(&headers)?,
        creates: false,
    };
    let respond = |order: &Order, version| json!({"order_id": order_id, "status": order.status().as_str(), "action": action, "version": version});
    state
        .command_handler
        .execute(call, respond)
        .await
        .map(done)
        .map_err(problem)
}
