//! The merchant's side of the Nexi Checkout protocol.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use chrono::SecondsFormat;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::nexi_error::NexiError;
use super::payment::{
    AtNexi, Change, MAX_AMOUNT_ORE, Name, Payment, Request, State as PaymentState, Subscription,
};
use super::store::{NewPayment, Rejected};
use super::{AppState, acts};

const CURRENCY: &str = "NOK";
const MAX_URL: usize = 2048;
const MAX_WEBHOOKS: usize = 32;
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

#[derive(Deserialize)]
struct CreateBody {
    order: Order,
    checkout: Checkout,
    #[serde(default)]
    notifications: Notifications,
}

#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
    amount: i64,
    currency: String,
    reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    gross_total_amount: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checkout {
    integration_type: String,
    return_url: String,
    #[serde(default)]
    cancel_url: Option<String>,
    terms_url: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notifications {
    #[serde(default)]
    web_hooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    event_name: String,
    url: String,
    authorization: String,
}

async fn create(
    State(state): State<AppState>,
    _: Merchant,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), NexiError> {
    let payment_id = Uuid::new_v4().simple().to_string();
    state
        .store
        .create(new_payment(parse(&body)?, &payment_id)?)
        .await?;
    acts::before_answer(&state, &payment_id).await?;
    let answer = json!({
        "paymentId": payment_id,
        "hostedPaymentPageUrl": page_url(&state, &payment_id),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn new_payment(body: CreateBody, payment_id: &str) -> Result<NewPayment, NexiError> {
    let (order, checkout) = (body.order, body.checkout);
    amounts(order.amount, &order.items)?;
    if order.currency != CURRENCY {
        return Err(NexiError::field("order.currency", "must be NOK"));
    }
    if order.reference.is_empty() || order.reference.len() > 128 {
        return Err(NexiError::field("order.reference", "must be 1 to 128 characters"));
    }
    if checkout.integration_type != "HostedPaymentPage" {
        return Err(NexiError::field(
            "checkout.integrationType",
            "only HostedPaymentPage is emulated",
        ));
    }
    let cancel_url = checkout.cancel_url.unwrap_or_else(|| checkout.return_url.clone());
    for (field, url) in [
        ("checkout.returnUrl", &checkout.return_url),
        ("checkout.cancelUrl", &cancel_url),
        ("checkout.termsUrl", &checkout.terms_url),
    ] {
        web_address(field, url, MAX_URL)?;
    }
    let webhooks = body.notifications.web_hooks;
    if webhooks.len() > MAX_WEBHOOKS {
        return Err(NexiError::field("notifications.webHooks", "too many"));
    }
    let webhooks = webhooks
        .into_iter()
        .map(|webhook| {
            web_address("notifications.webHooks.url", &webhook.url, 256)?;
            let text = &webhook.authorization;
            if !(8..=32).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(NexiError::field(
                    "notifications.webHooks.authorization",
                    "must be 8 to 32 of a-z, A-Z, 0-9",
                ));
            }
            Ok(Subscription {
                event: webhook.event_name,
                url: webhook.url,
                authorization: webhook.authorization,
            })
        })
        .collect::<Result<_, _>>()?;
    let description = order.items.into_iter().next().map(|item| item.name);
    Ok(NewPayment {
        reference: order.reference,
        idempotency_key: String::new(),
        fingerprint: String::new(),
        amount_ore: order.amount,
        description: description.unwrap_or_default(),
        return_url: checkout.return_url,
        nexi: Some(AtNexi {
            payment_id: payment_id.to_owned(),
            cancel_url,
            webhooks,
        }),
    })
}

fn web_address(field: &'static str, url: &str, most: usize) -> Result<(), NexiError> {
    let web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if web && url.len() <= most && url.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(NexiError::field(field, "must be a web address"))
    }
}

fn amounts(amount_ore: i64, items: &[Item]) -> Result<(), NexiError> {
    if !(1..=MAX_AMOUNT_ORE).contains(&amount_ore) {
        return Err(NexiError::field("amount", "is out of range"));
    }
    let sum = items
        .iter()
        .try_fold(0_i64, |sum, item| sum.checked_add(item.gross_total_amount));
    if sum != Some(amount_ore) {
        return Err(NexiError::field("amount", "is not the sum of the items"));
    }
    Ok(())
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
