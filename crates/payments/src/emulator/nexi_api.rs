//! The merchant's side of the Nexi Checkout protocol.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use chrono::SecondsFormat;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::nexi_create::{CURRENCY, CreateBody, Item, amounts};
use super::nexi_error::NexiError;
use super::payment::{Change, Name, Payment, Request, State as PaymentState};
use super::store::Rejected;
use super::{AppState, acts};

const MAX_KEY: usize = 64;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/v1/payments", post(create))
        .route("/v1/payments/{id}", get(read))
        .route("/v1/payments/{id}/charges", post(charge))
        .route("/v1/payments/{id}/cancels", post(cancel))
        .route("/v1/payments/{id}/terminate", put(terminate))
        .route("/v1/charges/{id}/refunds", post(refund))
}

/// A merchant with the secret key.
struct Merchant;

impl FromRequestParts<AppState> for Merchant {
    type Rejection = NexiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, NexiError> {
        let presented = parts.headers.get(header::AUTHORIZATION);
        let presented = presented.map_or(&b""[..], |value| value.as_bytes());
        let known = state
            .options
            .nexi_secret_key
            .as_ref()
            .is_some_and(|key| verify_slices_are_equal(presented, key.expose().as_bytes()).is_ok());
        if known {
            Ok(Self)
        } else {
            let text = "the secret key is not known";
            Err(NexiError::message(StatusCode::UNAUTHORIZED, text))
        }
    }
}

async fn create(
    State(state): State<AppState>,
    _: Merchant,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), NexiError> {
    let payment_id = Uuid::new_v4().simple().to_string();
    state
        .store
        .create(parse::<CreateBody>(&body)?.into_payment(&payment_id)?)
        .await?;
    acts::before_answer(&state, &payment_id).await?;
    let answer = json!({
        "paymentId": payment_id,
        "hostedPaymentPageUrl": page_url(&state, &payment_id),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeBody {
    amount: i64,
    #[serde(default)]
    order_items: Option<Vec<Item>>,
}

impl ChangeBody {
    fn ore(&self) -> Result<i64, NexiError> {
        if let Some(items) = &self.order_items {
            amounts(self.amount, items)?;
        }
        Ok(self.amount)
    }
}

async fn charge(
    State(state): State<AppState>,
    _: Merchant,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), NexiError> {
    let amount_ore = parse::<ChangeBody>(&body)?.ore()?;
    let payment = nexi(&state, &id).await?;
    // The whole amount needs no items, a part does.
    let partial = amount_ore != payment.creation.amount_ore;
    if partial && parse::<ChangeBody>(&body)?.order_items.is_none() {
        return Err(NexiError::field("orderItems", "a part needs its items"));
    }
    let after = acts::capture(&state, &id, amount_ore, &idempotency_key(&headers)?).await?;
    let answer = json!({ "chargeId": after.psp_reference.simple() });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn refund(
    State(state): State<AppState>,
    _: Merchant,
    headers: HeaderMap,
    Path(charge): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), NexiError> {
    let unknown = || NexiError::from(Rejected::NotFound);
    let charge = Uuid::try_parse(&charge).map_err(|_| unknown())?;
    let id = state.store.payment_of(charge).ok_or_else(unknown)?;
    let amount_ore = parse::<ChangeBody>(&body)?.ore()?;
    let payment = nexi(&state, &id).await?;
    let request = Request::RefundOf(amount_ore, charge);
    let after = acts::refund(&state, &payment, request, &idempotency_key(&headers)?).await?;
    let answer = json!({ "refundId": after.psp_reference.simple() });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn cancel(
    State(state): State<AppState>,
    _: Merchant,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, NexiError> {
    let amount_ore = parse::<ChangeBody>(&body)?.ore()?;
    nexi(&state, &id).await?;
    let request = Request::Release(amount_ore);
    state.store.change(&id, request, None, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn terminate(
    State(state): State<AppState>,
    _: Merchant,
    Path(id): Path<String>,
) -> Result<StatusCode, NexiError> {
    nexi(&state, &id).await?;
    let request = Request::Cancel {
        only_if_not_authorized: true,
    };
    state.store.change(&id, request, None, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A request without a key is a request of its own.
fn idempotency_key(headers: &HeaderMap) -> Result<String, NexiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(Uuid::new_v4().to_string());
    };
    let key = value.to_str().ok();
    key.filter(|key| (1..=MAX_KEY).contains(&key.len()))
        .map(str::to_owned)
        .ok_or_else(|| NexiError::field("Idempotency-Key", "must be 1 to 64 characters"))
}

/// The payment, if it is one at Nexi.
async fn nexi(state: &AppState, id: &str) -> Result<Payment, NexiError> {
    let payment = state.store.get(id).await?;
    if payment.creation.nexi.is_none() {
        return Err(Rejected::NotFound.into());
    }
    Ok(payment)
}

async fn read(
    State(state): State<AppState>,
    _: Merchant,
    Path(id): Path<String>,
) -> Result<Json<Value>, NexiError> {
    let payment = nexi(&state, &id).await?;
    let creation = &payment.creation;
    let cancel_url = creation.nexi.as_ref().map(|nexi| &nexi.cancel_url);
    let mut answer = json!({
        "paymentId": id,
        "summary": summary(&payment),
        "consumer": {},
        "paymentDetails": {},
        "orderDetails": { "amount": creation.amount_ore, "currency": CURRENCY, "reference": creation.reference },
        "checkout": { "url": page_url(&state, &id), "cancelUrl": cancel_url },
        "created": time(creation.at),
        "charges": payment.charges().map(charge_json).collect::<Vec<_>>(),
        "refunds": refunds(&payment),
    });
    let over = payment
        .history
        .iter()
        .find(|change| matches!(change.name, Name::Terminated | Name::Expired));
    if let Some(over) = over {
        answer["terminated"] = json!(time(over.at));
    }
    Ok(Json(json!({ "payment": answer })))
}

/// As the API does, without the sums that are zero.
fn summary(payment: &Payment) -> Map<String, Value> {
    let sums = payment.now.aggregate;
    // A terminated payment had nothing to cancel.
    let cancelled_ore = match payment.now.state {
        PaymentState::Authorized => sums.cancelled_ore,
        _ => 0,
    };
    [
        ("reservedAmount", sums.authorized_ore),
        ("chargedAmount", sums.captured_ore),
        ("refundedAmount", sums.refunded_ore),
        ("cancelledAmount", cancelled_ore),
    ]
    .into_iter()
    .filter(|(_, ore)| *ore > 0)
    .map(|(name, ore)| (name.to_owned(), json!(ore)))
    .collect()
}

fn charge_json(change: &Change) -> Value {
    json!({
        "chargeId": change.psp_reference.simple(),
        "amount": change.amount_ore,
        "created": time(change.at),
        "orderItems": [],
    })
}

fn refunds(payment: &Payment) -> Vec<Value> {
    let ends = |refund: &Change| {
        let end = payment
            .history
            .iter()
            .find(|end| end.ends == Some(refund.psp_reference));
        end.map(|end| end.name)
    };
    let mut refunds = Vec::new();
    for change in &payment.history {
        let state = match change.name {
            Name::Refunded if change.ends.is_none() => "Completed",
            Name::RefundStarted => match ends(change) {
                Some(Name::Refunded) => "Completed",
                Some(_) => "Failed",
                None => "Pending",
            },
            _ => continue,
        };
        refunds.push(json!({
            "refundId": change.psp_reference.simple(),
            "amount": change.amount_ore,
            "state": state,
            "lastUpdated": time(change.at),
            "orderItems": [],
        }));
    }
    refunds
}

fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

fn page_url(state: &AppState, payment_id: &str) -> String {
    format!(
        "{}/pay/{payment_id}",
        state.options.public_url.trim_end_matches('/')
    )
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, NexiError> {
    serde_json::from_slice(body).map_err(|error| NexiError::field("body", error.to_string()))
}
