//! `POST /webhooks/vipps`: the provider reports an event of a payment.
//!
//! The signature is checked on the raw body. The body is then only a reason to read the payment from the provider. An
//! applied webhook is remembered for as long as the provider may repeat it, so that a repetition costs no call.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use event_store::{IdempotencyKey, Inbox};
use metrics::counter;
use payments::vipps::webhook::{self, Event, EventName};
use service::auth::Who;
use service::docs::{Header, of_every_request, refusals};
use service::extract::{Body, incomplete_body};
use service::problem::Problem;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::path::{OperationBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Ref, Required, ResponseBuilder};
use utoipa::{IntoParams, PartialSchema as _, ToSchema};
use uuid::Uuid;
use vocabulary::{PaymentProvider, Word as _};

use crate::idempotency::in_flight;
use crate::metrics::WEBHOOKS_TOTAL;
use crate::openapi::Documented;
use crate::process::reconcile::{self, Reconciled};
use crate::state::AppState;

/// Most bytes of a webhook's body. The body is read before its signature is checked, and a genuine one has less than a
/// kilobyte.
pub(crate) const WEBHOOK_LIMIT: usize = 64 * 1024;

/// Where the webhooks that were applied are remembered.
const INBOX: &str = "webhook:vipps";
/// How long: a day more than the provider repeats them.
const REMEMBERED: Duration = Duration::from_hours(8 * 24);
/// How often older ones are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(10);

/// 200 when the order reflects the payment, or the payment is none of this shop's.
pub(crate) async fn vipps_webhook(
    State(state): State<AppState>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let (secret, host) = (state.shop.webhook_secret.expose(), &state.shop.webhook_host);
    if let Err(refused) = webhook::verify(secret, "POST", path, host, &headers, &body) {
        tracing::warn!(error = %refused, "a webhook was refused");
        count("refused");
        return Err(signature_invalid());
    }
    let event = Event::parse(&body).map_err(|error| {
        count("malformed");
        Problem::from_status(StatusCode::BAD_REQUEST).detail(error.to_string())
    })?;
    // A reference is an order's id in one spelling: nothing else, and no prefix, is ours.
    let order_id = Uuid::parse_str(&event.reference)
        .ok()
        .filter(|id| id.to_string() == event.reference);
    let Some(order_id) = order_id else {
        tracing::warn!("a webhook names a payment that is not ours");
        count("foreign");
        return Ok(StatusCode::OK);
    };
    let key = dedupe_key(&event);
    if applied_before(&state, &key).await {
        return Ok(StatusCode::OK);
    }
    // Copies of one webhook go one after the other; those behind the first find it remembered.
    let place = IdempotencyKey::new(INBOX, format!("{key:?}"), key);
    let _place = state.in_flight.enter(&place).await?;
    if applied_before(&state, &key).await {
        return Ok(StatusCode::OK);
    }
    tracing::info!(%order_id, event = ?event.name, "webhook received");
    apply(&state, order_id, &event, &key).await
}

/// Reconciles the order with its payment, and remembers the webhook.
async fn apply(state: &AppState, order_id: Uuid, event: &Event, key: &[u8]) -> Result<StatusCode, Problem> {
    let metadata = reconcile::metadata("webhook:vipps");
    let reconciled = state.cashier.ask_and_apply(order_id, metadata).await;
    if let Ok(reconciled) = &reconciled
        && shows(&event.name, *reconciled)
        && let Err(error) = state.inbox.remember(INBOX, key).await
    {
        tracing::warn!(%order_id, error = %error, "an applied webhook could not be remembered");
    }
    match reconciled {
        Ok(Reconciled::Unknown) => {
            tracing::warn!(%order_id, "a webhook names an order that does not exist");
            count("foreign");
            Ok(StatusCode::OK)
        }
        Ok(_) => {
            count("applied");
            Ok(StatusCode::OK)
        }
        Err(error) => {
            tracing::warn!(%order_id, error = %error, "a webhook could not be applied; the provider will repeat it");
            count("failed");
            Err(not_applied())
        }
    }
}

/// What the document says of it.
pub(crate) fn documented(_: Who) -> Documented {
    let mut schemas = vec![(VippsEvent::name().into_owned(), VippsEvent::schema())];
    VippsEvent::schemas(&mut schemas);
    let event = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(VippsEvent::name())))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", event)
        .required(Some(Required::True));
    let done = ResponseBuilder::new()
        .description("The order reflects the payment, or the payment is none of this shop's.")
        .header_ref(Header::RequestId.name(), Header::RequestId.reference());
    let mut operation = OperationBuilder::new()
        .tag("payment provider")
        .operation_id(Some("vipps_webhook"))
        .summary(Some(
            "Takes a webhook of Vipps MobilePay, signed with the webhook secret.",
        ))
        .parameters(Some(WebhookHeaders::into_params(|| Some(ParameterIn::Header))))
        .request_body(Some(body.build()))
        .response("200", done.build());
    let mut problems = of_every_request();
    problems.extend([StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE].map(Problem::from_status));
    problems.extend([incomplete_body(), Problem::from_status(StatusCode::BAD_REQUEST)]);
    problems.extend([signature_invalid(), in_flight(), not_applied()]);
    for (status, response) in refusals(problems) {
        operation = operation.response(status, response);
    }
    Documented { operation, schemas }
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

fn signature_invalid() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "signature_invalid",
        "Signaturen stemmer ikke.",
        "The signature is not right.",
    )
}

fn not_applied() -> Problem {
    Problem::unavailable(
        "webhook_not_applied",
        "Kunne ikke behandles nå.",
        "Could not be handled now; please repeat.",
    )
}

/// Whether this webhook is a repetition of one that was applied.
async fn applied_before(state: &AppState, key: &[u8]) -> bool {
    match state.inbox.has(INBOX, key).await {
        Ok(known) => {
            if known {
                count("replayed");
            }
            known
        }
        Err(error) => {
            // Applying a webhook again is safe.
            tracing::warn!(error = %error, "the inbox could not be read; the webhook is applied again");
            false
        }
    }
}

/// 32 bytes, the same for every delivery of one event.
fn dedupe_key(event: &Event) -> [u8; 32] {
    let (psp_reference, name, timestamp) = event.dedupe_key();
    let name = format!("{name:?}");
    let mut hash = Context::new(&SHA256);
    for part in [&event.reference, psp_reference, &name, timestamp] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(hash.finish().as_ref());
    key
}

/// Whether the payment, as it was read, can already show the webhook's event. If not, the next delivery reads it again.
fn shows(name: &EventName, reconciled: Reconciled) -> bool {
    match reconciled {
        Reconciled::Over => true,
        Reconciled::Open => *name == EventName::Created,
        Reconciled::Unknown | Reconciled::NoPayment => false,
    }
}

/// Keeps the memory of webhooks bounded, until `shutdown`.
pub(crate) async fn forget_old(inbox: Inbox, shutdown: CancellationToken) {
    loop {
        match inbox.forget(INBOX, REMEMBERED).await {
            // There are more.
            Ok(forgotten) if forgotten >= Inbox::AT_ONCE => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "old webhooks could not be forgotten"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(FORGET_EVERY) => {}
        }
    }
}

fn count(outcome: &'static str) {
    counter!(WEBHOOKS_TOTAL, "provider" => PaymentProvider::Vipps.as_str(), "outcome" => outcome)
        .increment(1);
}

#[cfg(test)]
mod tests {
    use payments::vipps::webhook::{Event, EventName};

    use super::{dedupe_key, shows};
    use crate::process::reconcile::Reconciled;

    fn event(psp_reference: &str, name: &str, timestamp: &str) -> Event {
        let body = serde_json::json!({
            "msn": "1", "reference": "r", "pspReference": psp_reference, "name": name, "timestamp": timestamp,
            "amount": {"currency": "NOK", "value": 1}, "success": true,
        });
        Event::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn one_event_has_one_key_and_another_one_has_another() {
        let key = dedupe_key(&event("a", "CAPTURED", "b"));
        assert_eq!(key, dedupe_key(&event("a", "CAPTURED", "b")));
        for other in [
            event("aC", "CAPTURED", "b"),
            event("a", "REFUNDED", "b"),
            event("a", "CAPTURED", "c"),
            event("a", "NEWER", "b"),
            event("ab", "CAPTURED", ""),
        ] {
            assert_ne!(key, dedupe_key(&other));
        }
    }

    #[test]
    fn a_webhook_is_remembered_only_when_the_payment_shows_it() {
        assert!(shows(&EventName::Created, Reconciled::Open));
        assert!(!shows(&EventName::Authorized, Reconciled::Open));
        assert!(shows(&EventName::Authorized, Reconciled::Over));
        assert!(!shows(&EventName::Authorized, Reconciled::NoPayment));
    }
}
