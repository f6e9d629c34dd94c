//! `POST /webhooks/vipps`: the provider says that something happened to a payment.
//!
//! The signature is checked on the raw body; what the body says is then only a reason to ask the provider.

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use metrics::counter;
use payments::vipps::webhook::{self, Event};
use service::extract::Body;
use service::problem::Problem;
use uuid::Uuid;

use crate::metrics::WEBHOOKS_TOTAL;
use crate::process::settle::{self, Settled};
use crate::state::AppState;

/// 200 when the order reflects what the provider says of the payment, or the payment is none of ours.
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
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "signature_invalid",
            "Signaturen stemmer ikke.",
            "The signature is not right.",
        ));
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
    tracing::info!(%order_id, event = ?event.name, "webhook received");
    let metadata = settle::metadata("webhook:vipps");
    match settle::ask_and_apply(&state.executor, &*state.provider, order_id, metadata).await {
        Ok(Settled::Unknown) => {
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
            Err(Problem::unavailable(
                "webhook_not_applied",
                "Kunne ikke behandles nå.",
                "Could not be handled now; please repeat.",
            ))
        }
    }
}

fn count(outcome: &'static str) {
    counter!(WEBHOOKS_TOTAL, "provider" => "vipps", "outcome" => outcome).increment(1);
}
