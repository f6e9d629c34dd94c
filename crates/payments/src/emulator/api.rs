//! The merchant's side of the protocol.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::AppState;
use super::calls::Call;
use super::faults::{ApiFault, Operation};
use super::merchant::{IdempotencyKey, Merchant, access_token};
use super::payment::{self, MAX_AMOUNT_ORE, Standing};
use super::problem::Problem;
use super::store::NewPayment;
use crate::checks::is_reference;

const CURRENCY: &str = "NOK";
const MAX_DESCRIPTION: usize = 100;
const MAX_RETURN_URL: usize = 2048;

pub(super) fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/accesstoken/get", post(access_token))
        .route("/epayment/v1/payments", post(create))
        .route("/epayment/v1/payments/{reference}", get(read))
        .route(
            "/epayment/v1/payments/{reference}/capture",
            post(|state, merchant, key, path, body| {
                modify(state, merchant, key, path, body, payment::Request::Capture)
            }),
        )
        .route(
            "/epayment/v1/payments/{reference}/refund",
            post(|state, merchant, key, path, body| {
                modify(state, merchant, key, path, body, payment::Request::Refund)
            }),
        )
        .route("/epayment/v1/payments/{reference}/cancel", post(cancel))
        .route_layer(middleware::from_fn_with_state(state.clone(), misbehave))
        .route_layer(middleware::from_fn_with_state(state.clone(), count_and_hold))
}

/// Counts the request, and holds it at the point that [`Faults::hold`] names. A request that has arrived is carried out
/// even if its sender dies meanwhile.
async fn count_and_hold(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(operation) = operation(&request) else {
        return next.run(request).await;
    };
    let call = Call::begin(&state.calls, operation);
    let handled = tokio::spawn(async move {
        call.wait_before_work(&state.faults).await;
        let response = next.run(request).await;
        call.wait_before_answer(&state.faults).await;
        response
    });
    handled
        .await
        .unwrap_or_else(|_| Problem::unavailable().into_response())
}

/// The operation that the path names; none for an access token.
fn operation(request: &Request) -> Option<Operation> {
    let path = request.uri().path().strip_prefix("/epayment/v1/payments")?;
    match path.trim_start_matches('/').split_once('/') {
        None if path.is_empty() => Some(Operation::Create),
        None => Some(Operation::Get),
        Some((_, "capture")) => Some(Operation::Capture),
        Some((_, "refund")) => Some(Operation::Refund),
        Some((_, "cancel")) => Some(Operation::Cancel),
        Some(_) => None,
    }
}

/// Applies the API faults. The emulator does the work before it loses or delays the answer.
async fn misbehave(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let faults = state.faults.get();
    if faults.refuse.is_some() && faults.refuse == operation(&request) {
        return Problem::bad_request("told to refuse").into_response();
    }
    match faults.api {
        ApiFault::Ok => next.run(request).await,
        ApiFault::Unavailable => Problem::unavailable().into_response(),
        ApiFault::AnswerLost => {
            next.run(request).await;
            Problem::unavailable().into_response()
        }
        ApiFault::SlowMs(ms) => {
            let response = next.run(request).await;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody {
    amount: Amount,
    payment_method: PaymentMethod,
    reference: String,
    user_flow: String,
    return_url: Option<String>,
    payment_description: Option<String>,
}

#[derive(Deserialize)]
struct PaymentMethod {
    r#type: String,
}

#[derive(Deserialize)]
struct Amount {
    currency: String,
    value: i64,
}

impl Amount {
    fn ore(&self) -> Result<i64, Problem> {
        if self.currency != CURRENCY {
            return Err(Problem::bad_request("amount.currency must be NOK"));
        }
        if !(1..=MAX_AMOUNT_ORE).contains(&self.value) {
            return Err(Problem::bad_request("amount.value is out of range"));
        }
        Ok(self.value)
    }
}

async fn create(
    State(state): State<AppState>,
    _: Merchant,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    body: Bytes,
) -> Result<Response, Problem> {
    let new = new_payment(parse(&body)?, idempotency_key)?;
    let reference = new.reference.clone();
    state.store.create(new).await?;
    if state.faults.get().create_conflict {
        return Err(Problem::new(StatusCode::CONFLICT, "told to conflict"));
    }
    let redirect_url = redirect_url(&state, &reference);
    Ok((
        StatusCode::CREATED,
        Json(json!({ "redirectUrl": redirect_url, "reference": reference })),
    )
        .into_response())
}

fn new_payment(body: CreateBody, idempotency_key: String) -> Result<NewPayment, Problem> {
    let amount_ore = body.amount.ore()?;
    if !is_reference(&body.reference) {
        return Err(Problem::bad_request("reference must match ^[a-zA-Z0-9-]{8,50}$"));
    }
    if body.user_flow != "WEB_REDIRECT" {
        return Err(Problem::bad_request(
            "only the user flow WEB_REDIRECT is emulated",
        ));
    }
    if !matches!(body.payment_method.r#type.as_str(), "WALLET" | "CARD") {
        return Err(Problem::bad_request("paymentMethod.type must be WALLET or CARD"));
    }
    let return_url = body.return_url.unwrap_or_default();
    let web = Url::parse(&return_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !web || return_url.len() > MAX_RETURN_URL || !return_url.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::bad_request("returnUrl must be a web address"));
    }
    let description = body.payment_description.unwrap_or_default();
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(Problem::bad_request(
            "paymentDescription is longer than 100 characters",
        ));
    }
    let everything = json!([
        amount_ore,
        body.reference,
        body.payment_method.r#type,
        return_url,
        description
    ])
    .to_string();
    let fingerprint = BASE64.encode(digest::digest(&digest::SHA256, everything.as_bytes()));
    let reference = body.reference;
    Ok(NewPayment {
        reference,
        idempotency_key,
        fingerprint,
        amount_ore,
        description,
        return_url,
    })
}

async fn read(
    State(state): State<AppState>,
    _: Merchant,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Problem> {
    let payment = state.store.get(&reference).await?;
    let mut answer = standing(
        &payment.creation.reference,
        payment.creation.amount_ore,
        &payment.now,
    );
    answer["paymentMethod"] = json!({ "type": "WALLET" });
    answer["profile"] = json!({});
    answer["redirectUrl"] = json!(redirect_url(&state, &reference));
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationBody {
    modification_amount: Amount,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    #[serde(default)]
    cancel_transaction_only: bool,
}

/// Captures or refunds the amount in the body.
async fn modify(
    State(state): State<AppState>,
    _: Merchant,
    key: IdempotencyKey,
    Path(reference): Path<String>,
    body: Bytes,
    request: fn(i64) -> payment::Request,
) -> Result<Json<Value>, Problem> {
    let body: ModificationBody = parse(&body)?;
    change(&state, &reference, request(body.modification_amount.ore()?), &key).await
}

async fn cancel(
    State(state): State<AppState>,
    _: Merchant,
    key: IdempotencyKey,
    Path(reference): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let body: CancelBody = if body.is_empty() {
        CancelBody::default()
    } else {
        parse(&body)?
    };
    let request = payment::Request::Cancel {
        only_if_not_authorized: body.cancel_transaction_only,
    };
    change(&state, &reference, request, &key).await
}

async fn change(
    state: &AppState,
    reference: &str,
    request: payment::Request,
    IdempotencyKey(key): &IdempotencyKey,
) -> Result<Json<Value>, Problem> {
    let after = state.store.change(reference, request, Some(key)).await?;
    let creation = state.store.get(reference).await?.creation;
    Ok(Json(standing(&creation.reference, creation.amount_ore, &after)))
}

fn standing(reference: &str, amount_ore: i64, standing: &Standing) -> Value {
    let amount = |value: i64| json!({ "currency": CURRENCY, "value": value });
    let aggregate = &standing.aggregate;
    json!({
        "reference": reference,
        "pspReference": standing.psp_reference,
        "state": standing.state,
        "amount": amount(amount_ore),
        "aggregate": {
            "authorizedAmount": amount(aggregate.authorized_ore),
            "capturedAmount": amount(aggregate.captured_ore),
            "cancelledAmount": amount(aggregate.cancelled_ore),
            "refundedAmount": amount(aggregate.refunded_ore),
        },
    })
}

fn redirect_url(state: &AppState, reference: &str) -> String {
    format!(
        "{}/pay/{reference}",
        state.options.public_url.trim_end_matches('/')
    )
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body: {error}")))
}
