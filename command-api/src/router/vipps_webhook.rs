//! `POST /webhooks/vipps`: Vipps MobilePay reports an event of a payment, signed over the raw body.

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use payments::vipps::webhook::{self, Event, EventName};
use service::auth::Who;
use service::extract::Body;
use service::problem::Problem;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};
use vocabulary::PaymentProvider;

use super::webhooks::{self, Webhook, dedupe_key, foreign, malformed, not_configured, receive, refused};
use crate::openapi::Documented;
use crate::state::AppState;

const PROVIDER: PaymentProvider = PaymentProvider::Vipps;

/// 200 when the order reflects the payment, or the payment is none of this shop's. Without a secret of Vipps', nothing is
/// genuine.
pub(crate) async fn vipps_webhook(
    State(state): State<AppState>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let shop = &state.shop;
    let secret = shop.vipps_webhook_secret.as_ref();
    let secret = secret.ok_or_else(|| not_configured(PROVIDER))?.expose();
    webhook::verify(secret, "POST", path, &shop.webhook_host, &headers, &body)
        .map_err(|error| refused(PROVIDER, &error))?;
    let event = Event::parse(&body).map_err(|error| malformed(PROVIDER, &error))?;
    let Some(order_id) = webhooks::order_id(&event.reference) else {
        return Ok(foreign(PROVIDER));
    };
    let (psp_reference, name, timestamp) = event.dedupe_key();
    let (name, reference) = (format!("{name:?}"), event.reference.as_str());
    let webhook = Webhook {
        provider: PROVIDER,
        order_id,
        payment_id: event.reference.clone(),
        leaves_open: event.name == EventName::Created,
        dedupe_key: dedupe_key(&[reference, psp_reference, &name, timestamp]),
        event: name,
    };
    receive(&state, &webhook).await
}

/// What the document says of it.
pub(crate) fn documented(_: Who) -> Documented {
    webhooks::documented::<VippsEvent>(
        "vipps_webhook",
        "Takes a webhook of Vipps MobilePay, signed with the webhook secret.",
        WebhookHeaders::into_params(|| Some(ParameterIn::Header)),
    )
}

/// The signature of a webhook. `Authorization` carries it as `HMAC-SHA256 SignedHeaders=…&Signature=…`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documented: the signature is checked by `payments`")]
struct WebhookHeaders {
    /// When it was signed, as an HTTP date.
    #[param(rename = "X-Ms-Date", example = "Mon, 01 Jun 2026 05:40:00 GMT")]
    date: String,
    /// SHA-256 of the body in base 64.
    #[param(
        rename = "X-Ms-Content-Sha256",
        example = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    )]
    content_sha256: String,
}

/// An event of a payment, with further members that this API does not read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only documented: `payments` reads it")]
struct VippsEvent {
    /// The sales unit.
    msn: String,
    /// The payment's reference: an order's id.
    reference: String,
    /// The provider's own reference of what happened.
    #[schema(rename = "pspReference")]
    psp_reference: String,
    /// What happened.
    #[schema(example = "AUTHORIZED")]
    name: String,
    /// When.
    #[schema(example = "2026-06-01T05:40:00.000Z")]
    timestamp: String,
    /// Not trusted: the payment is read from the provider.
    amount: VippsAmount,
    /// Whether the operation succeeded.
    success: bool,
}

/// Money.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only documented: `payments` reads it")]
struct VippsAmount {
    /// ISO 4217 code.
    #[schema(example = "NOK")]
    currency: String,
    /// In the smallest unit: øre.
    value: i64,
}

#[cfg(test)]
mod tests {
    use payments::vipps::webhook::Event;

    use super::dedupe_key;

    fn key(psp_reference: &str, name: &str, timestamp: &str) -> [u8; 32] {
        let body = serde_json::json!({
            "msn": "1", "reference": "r", "pspReference": psp_reference, "name": name, "timestamp": timestamp,
            "amount": {"currency": "NOK", "value": 1}, "success": true,
        });
        let event = Event::parse(body.to_string().as_bytes()).unwrap();
        let (psp_reference, name, timestamp) = event.dedupe_key();
        dedupe_key(&[&event.reference, psp_reference, &format!("{name:?}"), timestamp])
    }

    #[test]
    fn one_event_has_one_key_and_another_one_has_another() {
        let one = key("a", "CAPTURED", "b");
        assert_eq!(one, key("a", "CAPTURED", "b"));
        for other in [
            key("aC", "CAPTURED", "b"),
            key("a", "REFUNDED", "b"),
            key("a", "CAPTURED", "c"),
            key("a", "NEWER", "b"),
            key("ab", "CAPTURED", ""),
        ] {
            assert_ne!(one, other);
        }
    }
}
