//! Routes for tests and operations; a real provider has none of them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::payment::Name;
use super::problem::Problem;
use super::{AppState, Faults};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/emulator/faults", post(set_faults).get(get_faults))
        .route("/emulator/calls", get(calls))
        .route("/emulator/payments/{reference}", get(payment))
        .route("/health/ready", get(ready))
}

async fn get_faults(State(state): State<AppState>) -> Json<Faults> {
    Json(state.faults.get())
}

async fn set_faults(State(state): State<AppState>, body: Bytes) -> Result<Json<Faults>, Problem> {
    let faults: Faults =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("the body: {error}")))?;
    tracing::info!(?faults, "faults set");
    state.faults.set(faults);
    Ok(Json(faults))
}

async fn calls(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.calls.counts()))
}

async fn payment(
    State(state): State<AppState>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Problem> {
    let payment = state.store.get(&reference).await?;
    let aggregate = payment.now.aggregate;
    let history: Vec<Value> = payment
        .history
        .iter()
        .map(|change| {
            let key = change.key.as_ref().map(|key| &key.value);
            json!({ "name": change.name, "amount_ore": change.amount_ore, "at": change.at, "idempotency_key": key })
        })
        .collect();
    Ok(Json(json!({
        "reference": payment.creation.reference,
        "state": payment.now.state,
        "amount_ore": payment.creation.amount_ore,
        "authorized_ore": aggregate.authorized_ore,
        "captured_ore": aggregate.captured_ore,
        "cancelled_ore": aggregate.cancelled_ore,
        "refunded_ore": aggregate.refunded_ore,
        "captures": payment.count(Name::Captured),
        "refunds": payment.count(Name::Refunded),
        "created_at": payment.creation.at,
        "expires_at": payment.creation.expires_at,
        "history": history,
        "webhooks_settled": payment.settled_webhooks,
        "webhooks_pending": payment.history.len() - payment.settled_webhooks,
    })))
}

async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let reason = if state.store.has_failed() {
        Some("the journal can't be written")
    } else if state.shutdown.is_cancelled() {
        Some("stopping")
    } else {
        None
    };
    match reason {
        None => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Some(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "not_ready", "reason": reason })),
        ),
    }
}
