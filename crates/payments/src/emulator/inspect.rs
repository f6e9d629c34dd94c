//! Routes for tests and operations; a real provider has none of them.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::payment::{Name, Payment};
use super::problem::Problem;
use super::{AppState, Faults};

/// Payments on one page of the books.
const PAGE: usize = 500;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/emulator/faults", post(set_faults).get(get_faults))
        .route("/emulator/calls", get(calls))
        .route("/emulator/books", get(books))
        .route("/emulator/payments/{id}", get(payment))
        .route("/emulator/orders/{reference}", get(order))
        .route("/health/ready", get(ready))
}

/// The faults, and how often each of their rules has applied.
async fn get_faults(State(state): State<AppState>) -> Json<Value> {
    let (faults, applied) = state.faults.get();
    let mut answer = json!(faults);
    answer["applied"] = json!(applied);
    Json(answer)
}

async fn set_faults(State(state): State<AppState>, body: Bytes) -> Result<Json<Faults>, Problem> {
    let faults: Faults =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("the body: {error}")))?;
    if let Some(complaint) = faults.complaint() {
        return Err(Problem::bad_request(complaint));
    }
    tracing::info!(?faults, "faults set");
    state.faults.set(faults.clone());
    Ok(Json(faults))
}

async fn calls(State(state): State<AppState>) -> Json<Value> {
    Json(json!(state.calls.counts()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// How many payments to skip: `next` of the page before.
    #[serde(default)]
    after: usize,
    #[serde(default = "page")]
    limit: usize,
}

fn page() -> usize {
    PAGE
}

/// Every payment with its sums and movements, oldest first. The last page has no `next`.
async fn books(State(state): State<AppState>, Query(page): Query<Page>) -> Result<Json<Value>, Problem> {
    let limit = page.limit.clamp(1, PAGE);
    let ids = state.store.ids(page.after, limit);
    let mut payments = Vec::with_capacity(ids.len());
    for id in &ids {
        payments.push(account(&state.store.get(id).await?));
    }
    let next = (ids.len() == limit).then_some(page.after.saturating_add(limit));
    Ok(Json(json!({ "payments": payments, "next": next })))
}

/// All payments of one order, oldest first.
async fn order(State(state): State<AppState>, Path(reference): Path<String>) -> Result<Json<Value>, Problem> {
    let mut payments = Vec::new();
    for id in state.store.ids_of(&reference) {
        payments.push(account(&state.store.get(&id).await?));
    }
    Ok(Json(json!({ "payments": payments })))
}

async fn payment(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(account(&state.store.get(&id).await?)))
}

fn account(payment: &Payment) -> Value {
    let aggregate = payment.now.aggregate;
    let history: Vec<Value> = payment
        .history
        .iter()
        .map(|change| {
            let key = change.key.as_ref().map(|key| &key.value);
            json!({ "name": change.name, "amount_ore": change.amount_ore, "at": change.at, "idempotency_key": key })
        })
        .collect();
    json!({
        "provider": payment.creation.provider(),
        "reference": payment.creation.reference,
        "payment_id": payment.creation.id(),
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
    })
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
