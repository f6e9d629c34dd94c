//! The merchant's portal, where a person captures, refunds and voids without the shop. The shop must detect these changes.
//!
//! A change made here has no idempotency key unless the form gives one, which tests use to collide with the shop's own
//! keys. Its webhooks are sent as for any other change.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::page::{escape, html, kroner, message};
use super::payment::{Payment, Request, State as PaymentState};
use super::problem::Problem;
use super::store::Rejected;
use super::{AppState, acts};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/portal/{id}", get(show))
        .route("/portal/{id}/{action}", post(act))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Capture,
    Refund,
    Void,
    /// The reservation runs out, as it would by itself some day.
    Expire,
}

/// The amount in øre; without one, all that is possible.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    amount_ore: Option<i64>,
    idempotency_key: Option<String>,
}

async fn show(State(state): State<AppState>, Path(reference): Path<String>) -> Response {
    match state.store.get(&reference).await {
        Ok(payment) => page(StatusCode::OK, &payment),
        Err(rejected) => message(rejected),
    }
}

/// A form of the page is answered with a redirect back to the page; any other client sends and gets JSON.
async fn act(
    State(state): State<AppState>,
    Path((reference, action)): Path<(String, Action)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let browser = content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let amount = match amount(&body, browser) {
        Ok(amount) => amount,
        Err(problem) => return problem.into_response(),
    };
    match (change(&state, &reference, action, &amount).await, browser) {
        (Ok(state), false) => Json(json!({ "reference": reference, "state": state })).into_response(),
        (Err(rejected), false) => Problem::from(rejected).into_response(),
        (Err(rejected @ (Rejected::NotFound | Rejected::Journal)), true) => message(rejected),
        (changed, true) => match state.store.get(&reference).await {
            Ok(_) if changed.is_ok() => (
                StatusCode::SEE_OTHER,
                [(header::LOCATION, format!("/portal/{reference}"))],
            )
                .into_response(),
            Ok(payment) => page(StatusCode::CONFLICT, &payment),
            Err(rejected) => message(rejected),
        },
    }
}

fn amount(body: &Bytes, browser: bool) -> Result<Amount, Problem> {
    let unreadable = |error: &dyn std::fmt::Display| Problem::bad_request(format!("the body: {error}"));
    match (body.is_empty(), browser) {
        (true, _) => Ok(Amount::default()),
        (_, true) => serde_urlencoded::from_bytes(body).map_err(|error| unreadable(&error)),
        (_, false) => serde_json::from_slice(body).map_err(|error| unreadable(&error)),
    }
}

async fn change(
    state: &AppState,
    id: &str,
    action: Action,
    Amount {
        amount_ore,
        idempotency_key,
    }: &Amount,
) -> Result<PaymentState, Rejected> {
    let (payment, key) = (state.store.get(id).await?, idempotency_key.as_deref());
    let request = match action {
        Action::Capture => Request::Capture(amount_ore.unwrap_or_else(|| payment.left_to_capture())),
        Action::Void => Request::Cancel {
            only_if_not_authorized: false,
        },
        Action::Expire => Request::Release(payment.left_to_capture()),
        Action::Refund => {
            let amount_ore = amount_ore.unwrap_or_else(|| payment.left_to_refund());
            return Ok(acts::portal_refund(state, id, amount_ore, key).await?.state);
        }
    };
    Ok(state.store.change(id, request, key, None).await?.state)
}

fn page(status: StatusCode, payment: &Payment) -> Response {
    let aggregate = &payment.now.aggregate;
    let sums = [
        ("Reservert", "Reserved", aggregate.authorized_ore),
        ("Trukket", "Captured", aggregate.captured_ore),
        ("Refundert", "Refunded", aggregate.refunded_ore),
        ("Annullert", "Cancelled", aggregate.cancelled_ore),
    ];
    let sums = sums
        .map(|(nb, en, ore)| format!("<li>{nb} <span lang=\"en\">/ {en}</span>: {}</li>", kroner(ore)))
        .concat();
    let id = escape(payment.creation.id());
    let form = |action: &str, nb: &str, en: &str, most: i64| {
        let disabled = if most > 0 { "" } else { " disabled" };
        let amount = match action {
            "void" | "expire" => String::new(),
            _ => format!(
                "<label>Øre: <input name=\"amount_ore\" type=\"number\" min=\"1\" max=\"{most}\" value=\"{most}\"{disabled}></label>"
            ),
        };
        format!(
            "<form method=\"post\" action=\"/portal/{id}/{action}\" enctype=\"application/x-www-form-urlencoded\">\
             {amount}<button{disabled}>{nb} <span lang=\"en\">/ {en}</span></button></form>"
        )
    };
    let authorized = payment.now.state == PaymentState::Authorized;
    let left = if authorized { payment.left_to_capture() } else { 0 };
    let forms = [
        form("capture", "Trekk", "Capture", left),
        form("refund", "Refunder", "Refund", payment.left_to_refund()),
        form("void", "Annuller resten", "Void the rest", left),
        form(
            "expire",
            "La reservasjonen løpe ut",
            "Let the reservation run out",
            left,
        ),
    ];
    html(
        status,
        &format!(
            "<p>Portal <span lang=\"en\">/ The merchant's portal</span></p><ul>{sums}</ul>{}",
            forms.concat()
        ),
    )
}
