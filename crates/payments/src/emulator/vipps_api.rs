//! The merchant's side of the Vipps protocol.

use aws_lc_rs::digest;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::merchant::{IdempotencyKey, Merchant, access_token};
use super::payment::{self, Creation, MAX_AMOUNT_ORE, Payment, Standing};
use super::problem::Problem;
use super::store::{NewPayment, Rejected};
use super::{AppState, acts};
use crate::checks::is_reference;

const CURRENCY: &str = "NOK";
const MAX_DESCRIPTION: usize = 100;
const MAX_RETURN_URL: usize = 2048;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/accesstoken/get", post(access_token))
        .route("/epayment/v1/payments", post(create))
        .route("/epayment/v1/payments/{reference}", get(read))
        .route("/epayment/v1/payments/{reference}/capture", post(capture))
        .route("/epayment/v1/payments/{reference}/refund", post(refund))
        .route("/epayment/v1/payments/{reference}/cancel", post(cancel))
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
    acts::before_answer(&state, &reference).await?;
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
        nexi: None,
    })
}

async fn read(
    State(state): State<AppState>,
    _: Merchant,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Problem> {
    let payment = vipps(&state, &reference).await?;
    let mut answer = standing(&payment.creation, &payment.now);
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

async fn capture(
    State(state): State<AppState>,
    _: Merchant,
    IdempotencyKey(key): IdempotencyKey,
    Path(reference): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let body: ModificationBody = parse(&body)?;
    let amount_ore = body.modification_amount.ore()?;
    let creation = vipps(&state, &reference).await?.creation;
    let after = acts::capture(&state, &reference, amount_ore, &key).await?;
    Ok(Json(standing(&creation, &after)))
}

async fn refund(
    State(state): State<AppState>,
    _: Merchant,
    IdempotencyKey(key): IdempotencyKey,
    Path(reference): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let body: ModificationBody = parse(&body)?;
    let request = payment::Request::Refund(body.modification_amount.ore()?);
    let payment = vipps(&state, &reference).await?;
    let after = acts::refund(&state, &payment, request, &key).await?;
    Ok(Json(standing(&payment.creation, &after)))
}

async fn cancel(
    State(state): State<AppState>,
    _: Merchant,
    IdempotencyKey(key): IdempotencyKey,
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
    let creation = vipps(&state, &reference).await?.creation;
    let after = state.store.change(&reference, request, Some(&key), None).await?;
    Ok(Json(standing(&creation, &after)))
}

/// The payment, if it is one at Vipps.
async fn vipps(state: &AppState, reference: &str) -> Result<Payment, Problem> {
    let payment = state.store.get(reference).await?;
    if payment.creation.nexi.is_some() {
        return Err(Rejected::NotFound.into());
    }
    Ok(payment)
}

fn standing(creation: &Creation, standing: &Standing) -> Value {
    let amount = |value: i64| json!({ "currency": CURRENCY, "value": value });
    let aggregate = &standing.aggregate;
    json!({
        "reference": creation.reference,
        "pspReference": standing.psp_reference,
        "state": standing.state,
        "amount": amount(creation.amount_ore),
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
