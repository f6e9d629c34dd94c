//! What the webhooks of all payment providers have in common, once the sender is known to be the provider.
//!
//! A webhook is only a reason to read the payment from the provider. An applied webhook is remembered for as long as the
//! provider may repeat it, so that a repetition costs no call.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::http::StatusCode;
use event_store::{IdempotencyKey, Inbox};
use metrics::counter;
use service::docs::{Header, of_every_request, refusals};
use service::extract::incomplete_body;
use service::problem::Problem;
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, Parameter};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Ref, Required, ResponseBuilder};
use uuid::Uuid;
use vocabulary::{PaymentProvider, Word as _};

use crate::idempotency::in_flight;
use crate::metrics::WEBHOOKS_TOTAL;
use crate::openapi::Documented;
use crate::process::reconcile::{self, Reconciled};
use crate::state::AppState;

/// Most bytes of a webhook's body. The body is read before its sender is known, and a genuine one has less than a few
/// kilobytes.
pub(crate) const WEBHOOK_LIMIT: usize = 64 * 1024;

/// How long applied webhooks are remembered: a day more than a provider repeats them.
const REMEMBERED: Duration = Duration::from_hours(8 * 24);
/// How often older ones are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(10);

/// A genuine webhook.
pub(super) struct Webhook {
    pub(super) provider: PaymentProvider,
    pub(super) order_id: Uuid,
    /// The payment's id at the provider.
    pub(super) payment_id: String,
    /// What happened, for the log.
    pub(super) event: String,
    /// Whether the event leaves a payment as it may be while the customer can still pay.
    pub(super) leaves_open: bool,
    /// The same for every delivery of one event.
    pub(super) dedupe_key: [u8; 32],
}

/// 200 when the order reflects the payment, or the payment is none of this shop's.
pub(super) async fn receive(state: &AppState, webhook: &Webhook) -> Result<StatusCode, Problem> {
    if applied_before(state, webhook).await {
        return Ok(StatusCode::OK);
    }
    // Copies of one webhook go one after the other; those behind the first find it remembered.
    let key = webhook.dedupe_key;
    let place = IdempotencyKey::new(inbox_of(webhook.provider), format!("{key:?}"), key);
    let _place = state.in_flight.enter(&place).await?;
    if applied_before(state, webhook).await {
        return Ok(StatusCode::OK);
    }
    let (order_id, provider, event) = (webhook.order_id, webhook.provider.as_str(), &webhook.event);
    tracing::info!(%order_id, provider, event, "webhook received");
    apply(state, webhook).await
}

/// Reconciles the order with its payment, and remembers the webhook.
async fn apply(state: &AppState, webhook: &Webhook) -> Result<StatusCode, Problem> {
    let Webhook {
        provider, order_id, ..
    } = *webhook;
    let metadata = reconcile::metadata(inbox_of(provider));
    let payment = (order_id, webhook.payment_id.as_str());
    let reconciled = state.cashier.ask_about(provider, payment, metadata).await;
    if let Ok(reconciled) = &reconciled
        && shows(webhook.leaves_open, *reconciled)
        && let Err(error) = state
            .inbox
            .remember(inbox_of(provider), &webhook.dedupe_key)
            .await
    {
        tracing::warn!(%order_id, error = %error, "an applied webhook could not be remembered");
    }
    match reconciled {
        Ok(Reconciled::Unknown) => {
            tracing::warn!(%order_id, "a webhook names an order that does not exist");
            count(provider, "foreign");
            Ok(StatusCode::OK)
        }
        // The payment's id is about to be recorded.
        Ok(Reconciled::NoPayment) if provider != PaymentProvider::Vipps => {
            tracing::info!(%order_id, "a webhook came before its payment was recorded; the provider will repeat it");
            count(provider, "early");
            Err(not_applied())
        }
        Ok(Reconciled::Stray) => {
            count(provider, "stray");
            Ok(StatusCode::OK)
        }
        Ok(_) => {
            count(provider, "applied");
            Ok(StatusCode::OK)
        }
        Err(error) => {
            tracing::warn!(%order_id, error = %error, "a webhook could not be applied; the provider will repeat it");
            count(provider, "failed");
            Err(not_applied())
        }
    }
}

/// Whether the payment, as it was read, can already show the webhook's event. If not, the next delivery reads it again.
fn shows(leaves_open: bool, reconciled: Reconciled) -> bool {
    match reconciled {
        Reconciled::Over | Reconciled::Stray => true,
        Reconciled::Open => leaves_open,
        Reconciled::Unknown | Reconciled::NoPayment => false,
    }
}

/// Whether this webhook is a repetition of one that was applied.
async fn applied_before(state: &AppState, webhook: &Webhook) -> bool {
    let inbox = inbox_of(webhook.provider);
    match state.inbox.has(inbox, &webhook.dedupe_key).await {
        Ok(known) => {
            if known {
                count(webhook.provider, "replayed");
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

/// Where the applied webhooks are remembered, and who acts because of one.
const fn inbox_of(provider: PaymentProvider) -> &'static str {
    match provider {
        PaymentProvider::Vipps => "webhook:vipps",
        PaymentProvider::Nexi => "webhook:nexi",
    }
}

/// 32 bytes of the parts, each within its bounds.
pub(super) fn dedupe_key(parts: &[&str]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = [0; 32];
    key.copy_from_slice(hash.finish().as_ref());
    key
}

/// An order's id in its one spelling: nothing else, and no prefix, names an order of ours.
pub(super) fn order_id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|id| id.to_string() == text)
}

/// 200: it names nothing of this shop, and repeating it would change nothing.
pub(super) fn foreign(provider: PaymentProvider) -> StatusCode {
    tracing::warn!(
        provider = provider.as_str(),
        "a webhook names a payment that is not ours"
    );
    count(provider, "foreign");
    StatusCode::OK
}

/// 400: it is from the provider, and can't be read.
pub(super) fn malformed(provider: PaymentProvider, error: &dyn std::error::Error) -> Problem {
    count(provider, "malformed");
    Problem::from_status(StatusCode::BAD_REQUEST).detail(error.to_string())
}

/// 401: it is not from the provider.
pub(super) fn refused(provider: PaymentProvider, error: &dyn std::error::Error) -> Problem {
    tracing::warn!(provider = provider.as_str(), error = %error, "a webhook was refused");
    count(provider, "refused");
    signature_invalid()
}

/// 401: this shop has no secret of that provider, so nothing is genuine.
pub(super) fn not_configured(provider: PaymentProvider) -> Problem {
    count(provider, "refused");
    signature_invalid()
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

/// What the document says of a webhook with a body like `T`.
pub(super) fn documented<T: ToSchema>(
    operation_id: &str,
    summary: &str,
    parameters: Vec<Parameter>,
) -> Documented {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    let event = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(T::name())))
        .build();
    let body = RequestBodyBuilder::new()
        .content("application/json", event)
        .required(Some(Required::True));
    let done = ResponseBuilder::new()
        .description("The order reflects the payment, or the payment is none of this shop's.")
        .header_ref(Header::RequestId.name(), Header::RequestId.reference());
    let mut operation = OperationBuilder::new()
        .tag("payment provider")
        .operation_id(Some(operation_id))
        .summary(Some(summary))
        .parameters(Some(parameters))
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

/// Keeps the memory of webhooks bounded, until `shutdown`.
pub(crate) async fn forget_old(inbox: Inbox, shutdown: CancellationToken) {
    loop {
        for provider in PaymentProvider::VARIANTS {
            forget_old_of(*provider, &inbox, &shutdown).await;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(FORGET_EVERY) => {}
        }
    }
}

async fn forget_old_of(provider: PaymentProvider, inbox: &Inbox, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        match inbox.forget(inbox_of(provider), REMEMBERED).await {
            // There are more.
            Ok(forgotten) if forgotten >= Inbox::AT_ONCE => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = %error, "old webhooks could not be forgotten");
                return;
            }
        }
    }
}

fn count(provider: PaymentProvider, outcome: &'static str) {
    counter!(WEBHOOKS_TOTAL, "provider" => provider.as_str(), "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::{order_id, shows};
    use crate::process::reconcile::Reconciled;

    #[test]
    fn a_webhook_is_remembered_only_when_the_payment_shows_it() {
        assert!(shows(true, Reconciled::Open));
        assert!(!shows(false, Reconciled::Open));
        assert!(shows(false, Reconciled::Over));
        assert!(shows(false, Reconciled::Stray));
        assert!(!shows(false, Reconciled::NoPayment));
        assert!(!shows(true, Reconciled::Unknown));
    }

    #[test]
    fn an_order_id_has_one_spelling() {
        let id = "0198c5a2-7d1e-7000-8000-000000000001";
        assert!(order_id(id).is_some());
        for other in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{id} "),
            format!("{id}x"),
            id[..8].into(),
            String::new(),
        ] {
            assert!(order_id(&other).is_none(), "{other}");
        }
    }
}
