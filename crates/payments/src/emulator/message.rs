//! What a webhook says, by the protocol of its payment.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Webhook;
use super::payment::{Change, Creation, Name};
use crate::vipps::webhook::{CONTENT_HASH_HEADER, DATE_HEADER, host_of, sign};

/// One delivery: where to, and what.
pub(super) struct Message {
    url: String,
    /// The same bytes for every try.
    body: String,
    seal: Seal,
}

/// How the receiver knows the sender.
enum Seal {
    /// Vipps signs with this secret.
    Secret(String),
    /// Nexi sends this back.
    Authorization(String),
}

/// The messages of a change, in order: none if the merchant subscribed to none. `more_ore` is claimed besides the truth.
pub(super) fn messages(
    vipps: Option<&Webhook>,
    creation: &Creation,
    change: &Change,
    more_ore: i64,
) -> Vec<Message> {
    let amount_ore = change.amount_ore.saturating_add(more_ore);
    match (&creation.nexi, vipps) {
        (None, None) => Vec::new(),
        (None, Some(webhook)) => vec![Message {
            url: webhook.url.clone(),
            body: vipps_body(&webhook.merchant_serial_number, creation, change, amount_ore).to_string(),
            seal: Seal::Secret(webhook.secret.clone()),
        }],
        (Some(nexi), _) => {
            let wanted = |event: &str| {
                let hooks = nexi.webhooks.iter().filter(move |hook| hook.event == event);
                hooks.cloned().collect::<Vec<_>>()
            };
            nexi_events(change.name)
                .iter()
                .enumerate()
                .flat_map(|(number, event)| {
                    let body = nexi_body(number, event, creation, change, amount_ore).to_string();
                    wanted(event).into_iter().map(move |hook| Message {
                        url: hook.url,
                        body: body.clone(),
                        seal: Seal::Authorization(hook.authorization),
                    })
                })
                .collect()
        }
    }
}

fn vipps_body(msn: &str, creation: &Creation, change: &Change, amount_ore: i64) -> Value {
    json!({
        "msn": msn,
        "reference": creation.reference,
        "pspReference": change.psp_reference,
        "name": change.name,
        "amount": { "currency": "NOK", "value": amount_ore },
        "timestamp": change.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "idempotencyKey": change.key.as_ref().map(|key| &key.value),
        "success": true,
    })
}

/// The events of a change at Nexi. It sends none when a payment ends unpaid.
fn nexi_events(name: Name) -> &'static [&'static str] {
    match name {
        Name::Created => &["payment.created"],
        Name::Authorized => &["payment.reservation.created.v2", "payment.checkout.completed"],
        Name::ReservationFailed => &["payment.reservation.failed"],
        Name::Captured => &["payment.charge.created.v2"],
        Name::Cancelled => &["payment.cancel.created"],
        Name::RefundStarted => &["payment.refund.initiated.v2"],
        Name::Refunded => &["payment.refund.completed"],
        Name::RefundFailed => &["payment.refund.failed"],
        Name::Aborted | Name::Expired | Name::Terminated => &[],
    }
}

/// Only the first event names the order.
fn nexi_body(number: usize, event: &str, creation: &Creation, change: &Change, amount_ore: i64) -> Value {
    // Events of one change have ids of their own, the same for every delivery.
    let id = Uuid::from_u128(change.psp_reference.as_u128().wrapping_add(number as u128));
    let mut data = json!({
        "paymentId": creation.id(),
        "amount": { "amount": amount_ore, "currency": "NOK" },
    });
    match change.name {
        Name::Created => {
            data["order"] = json!({ "amount": data["amount"], "reference": creation.reference });
        }
        Name::Captured => data["chargeId"] = json!(change.psp_reference.simple()),
        Name::Cancelled => data["cancelId"] = json!(change.psp_reference.simple()),
        Name::RefundStarted | Name::Refunded | Name::RefundFailed => {
            let refund = change.ends.unwrap_or(change.psp_reference);
            data["refundId"] = json!(refund.simple());
        }
        _ => {}
    }
    json!({
        "id": id.simple(),
        "merchantId": 100_000_000,
        "timestamp": change.at.to_rfc3339_opts(SecondsFormat::Micros, false),
        "event": event,
        "data": data,
    })
}

impl Message {
    /// The request. A spoilt one carries a wrong seal.
    pub(super) fn request(&self, http: &reqwest::Client, spoilt: bool) -> Option<reqwest::RequestBuilder> {
        let url = Url::parse(&self.url).ok()?;
        let request = http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        match &self.seal {
            Seal::Authorization(_) if spoilt => Some(request.header(AUTHORIZATION, "not0the0secret")),
            Seal::Authorization(authorization) => Some(request.header(AUTHORIZATION, authorization)),
            Seal::Secret(secret) => {
                let date = http_date(Utc::now());
                let secret = if spoilt { "not the secret" } else { secret };
                let path_and_query = match url.query() {
                    Some(query) => format!("{}?{query}", url.path()),
                    None => url.path().to_owned(),
                };
                let host = host_of(&self.url)?;
                let signed = sign(
                    secret,
                    "POST",
                    &path_and_query,
                    &host,
                    &date,
                    self.body.as_bytes(),
                );
                Some(
                    request
                        .header(DATE_HEADER, date)
                        .header(CONTENT_HASH_HEADER, signed.content_hash)
                        .header(AUTHORIZATION, signed.authorization),
                )
            }
        }
    }

    /// Whether the provider takes this status as accepted.
    pub(super) fn is_accepted(&self, status: reqwest::StatusCode) -> bool {
        match self.seal {
            Seal::Secret(_) => status.is_success(),
            Seal::Authorization(_) => status == reqwest::StatusCode::OK,
        }
    }
}

/// As in RFC 9110: `Thu, 30 Mar 2023 08:38:32 GMT`.
fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        let at = DateTime::from_timestamp(1_680_165_512, 0).unwrap();
        assert_eq!(http_date(at), "Thu, 30 Mar 2023 08:38:32 GMT");
    }
}
