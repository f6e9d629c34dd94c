//! Webhooks from Nexi Checkout: verification, and parsing.
//!
//! There is no signature: the provider sends back the `authorization` that the payment was created with. One webhook
//! that leaks is enough to forge the next, so the receiver drops what it has seen ([`Event::id`]) and acts on the payment as read
//! from the provider, never on the message. The provider repeats a webhook until it is answered with 200.
//!
//! Later events do not name the order. Its id is in the query of the address that the payment was created with.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secret::Secret;
use serde::Deserialize;

use crate::checks::check_payment_id;

/// What a payment's webhooks are asked for: whatever may call for a read of the payment.
pub const EVENTS: &[&str] = &[
    "payment.reservation.created.v2",
    "payment.reservation.failed",
    "payment.checkout.completed",
    "payment.charge.created.v2",
    "payment.charge.failed",
    "payment.cancel.created",
    "payment.refund.completed",
    "payment.refund.failed",
];

/// The longest id of an event that is taken.
const MAX_ID: usize = 64;

/// Why a webhook is refused. For our log only: the sender gets a bare 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no `Authorization` header.
    #[error("header authorization is missing")]
    MissingHeader,
    /// Another `Authorization` than ours.
    #[error("the authorization does not match")]
    Authorization,
}

/// Checks that the sender knows `authorization`. The time it takes tells nothing about it.
pub fn verify(authorization: &Secret, headers: &HeaderMap) -> Result<(), Refused> {
    let mut presented = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (presented.next(), presented.next()) else {
        return Err(Refused::MissingHeader);
    };
    // Hashes have one length, so that the comparison does not tell the secret's.
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
    let (expected, found) = (hash(authorization.expose().as_bytes()), hash(value.as_bytes()));
    verify_slices_are_equal(expected.as_ref(), found.as_ref()).map_err(|_| Refused::Authorization)
}

/// A webhook's body: a reason to read the payment, never a fact to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same for every delivery of one event, at most 64 characters.
    pub id: String,
    /// What happened.
    pub name: EventName,
    /// The provider's name for the payment.
    pub payment_id: String,
}

#[derive(Deserialize)]
struct Body {
    id: String,
    event: EventName,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    payment_id: String,
}

impl Event {
    /// Reads a body. The error names the place, never the content.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedEvent> {
        let body: Body = serde_json::from_slice(body).map_err(|error| MalformedEvent::Json {
            line: error.line(),
            column: error.column(),
        })?;
        if body.id.is_empty() || body.id.len() > MAX_ID {
            return Err(MalformedEvent::Id);
        }
        check_payment_id(&body.data.payment_id).map_err(|_| MalformedEvent::Id)?;
        Ok(Self {
            id: body.id,
            name: body.event,
            payment_id: body.data.payment_id,
        })
    }
}

/// A body that is not a webhook's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEvent {
    /// It is not the expected JSON.
    #[error("not a webhook event at line {line} column {column}")]
    Json {
        /// Line of the body, from 1.
        line: usize,
        /// Column in that line.
        column: usize,
    },
    /// An id is none.
    #[error("the id of the event or of its payment is not one")]
    Id,
}

/// What can happen to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub enum EventName {
    /// We created it.
    #[serde(rename = "payment.created")]
    Created,
    /// The customer approved it.
    #[serde(rename = "payment.reservation.created.v2")]
    Reserved,
    /// An attempt of the customer failed. Another may follow.
    #[serde(rename = "payment.reservation.failed")]
    ReservationFailed,
    /// The customer is through the payment page.
    #[serde(rename = "payment.checkout.completed")]
    CheckoutCompleted,
    /// Money was taken.
    #[serde(rename = "payment.charge.created.v2")]
    Charged,
    /// Money was not taken.
    #[serde(rename = "payment.charge.failed")]
    ChargeFailed,
    /// A reservation was released.
    #[serde(rename = "payment.cancel.created")]
    Cancelled,
    /// A refund has begun.
    #[serde(rename = "payment.refund.initiated.v2")]
    RefundInitiated,
    /// Money was given back.
    #[serde(rename = "payment.refund.completed")]
    Refunded,
    /// Money was not given back.
    #[serde(rename = "payment.refund.failed")]
    RefundFailed,
    /// Something newer than this code: read the payment all the same.
    #[serde(untagged)]
    Other(String),
}
