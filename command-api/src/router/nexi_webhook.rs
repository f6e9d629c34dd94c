//! `POST /webhooks/nexi`: Nexi Checkout reports an event of a payment. It is not signed: the sender shows the text that the
//! payment was created with. The order's id is in the address that the payment was created with, too.

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use payments::nexi::webhook::{self, Event, EventName};
use service::auth::Who;
use service::extract::Body;
use service::problem::Problem;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::PaymentProvider;

use super::webhooks::{self, Webhook, dedupe_key, foreign, malformed, not_configured, receive, refused};
use crate::openapi::Documented;
use crate::state::AppState;

const PROVIDER: PaymentProvider = PaymentProvider::Nexi;

/// 200 when the order reflects the payment, or the payment is none of this shop's. Without credentials for Nexi, nothing is
/// genuine.
pub(crate) async fn nexi_webhook(
    State(state): State<AppState>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let authorization = state.shop.nexi_webhook_authorization.as_ref();
    let authorization = authorization.ok_or_else(|| not_configured(PROVIDER))?;
    webhook::verify(authorization, &headers).map_err(|error| refused(PROVIDER, &error))?;
    let event = Event::parse(&body).map_err(|error| malformed(PROVIDER, &error))?;
    let Some(order_id) = order_id_of(&uri) else {
        return Ok(foreign(PROVIDER));
    };
    let webhook = Webhook {
        provider: PROVIDER,
        order_id,
        // With the order's id: who has seen one webhook can't make another order's webhook look applied.
        dedupe_key: dedupe_key(&[&order_id.to_string(), &event.payment_id, &event.id]),
        leaves_open: leaves_open(&event.name),
        event: format!("{:?}", event.name),
        payment_id: event.payment_id,
    };
    receive(&state, &webhook).await
}

/// The only `order_id` of the query.
fn order_id_of(uri: &Uri) -> Option<Uuid> {
    let mut given = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.strip_prefix("order_id="));
    let order_id = webhooks::order_id(given.next()?)?;
    given.next().is_none().then_some(order_id)
}

/// After a failed attempt the customer may try again.
fn leaves_open(name: &EventName) -> bool {
    matches!(name, EventName::Created | EventName::ReservationFailed)
}

/// What the document says of it.
pub(crate) fn documented(_: Who) -> Documented {
    let mut parameters = WebhookHeaders::into_params(|| Some(ParameterIn::Header));
    parameters.extend(WebhookQuery::into_params(|| Some(ParameterIn::Query)));
    webhooks::documented::<NexiEvent>(
        "nexi_webhook",
        "Takes a webhook of Nexi Checkout, with the authorization that its payment was created with.",
        parameters,
    )
}

/// The sender.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documented: `payments` checks it")]
struct WebhookHeaders {
    /// The text that the payment was created with.
    #[param(rename = "Authorization")]
    authorization: String,
}

/// The address that the payment was created with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documented: read from the raw query")]
struct WebhookQuery {
    /// The order.
    order_id: Uuid,
}

/// An event of a payment, with further members that this API does not read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only documented: `payments` reads it")]
struct NexiEvent {
    /// The same for every delivery of the event.
    #[schema(example = "7625ad1cac7a4da2a1c9c0eb5b1c8a0c")]
    id: String,
    /// The webshop.
    #[schema(rename = "merchantId")]
    merchant_id: i64,
    /// When.
    #[schema(example = "2026-06-01T05:40:00.0000+00:00")]
    timestamp: String,
    /// What happened.
    #[schema(example = "payment.reservation.created.v2")]
    event: String,
    /// About which payment.
    data: NexiEventData,
}

/// The payment. Amounts are not read: the payment is read from the provider.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only documented: `payments` reads it")]
struct NexiEventData {
    /// The provider's id of the payment.
    #[schema(rename = "paymentId", example = "012b000065c53be1c2a5d7b9b7c2a7f4")]
    payment_id: String,
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::order_id_of;

    #[test]
    fn the_order_is_named_once_in_one_spelling() {
        let id = "0198c5a2-7d1e-7000-8000-000000000001";
        let of = |query: &str| {
            let uri: Uri = format!("/api/v1/webhooks/nexi{query}").parse().unwrap();
            order_id_of(&uri).map(|id| id.to_string())
        };
        assert_eq!(of(&format!("?order_id={id}")).as_deref(), Some(id));
        assert_eq!(of(&format!("?a=b&order_id={id}&c")).as_deref(), Some(id));
        for query in [
            String::new(),
            "?order_id=".into(),
            format!("?order_id={id}&order_id={id}"),
            format!("?order_id={}", id.to_uppercase()),
            format!("?xorder_id={id}"),
        ] {
            assert_eq!(of(&query), None, "{query}");
        }
    }
}
