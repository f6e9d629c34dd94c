//! The protocol's JSON, and its translation into the port's types.
//!
//! Unknown fields are ignored. A sum that is zero may be left out by the provider.

use std::collections::BTreeMap;

use secret::Secret;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::webhook::EVENTS;
use crate::checks::{check_payment_id, check_redirect};
use crate::client::{Dialect, parse};
use crate::metrics;
use crate::port::{Charges, CreatedPayment, Error, NewPayment, Payment, PaymentState};

const CURRENCY: &str = "NOK";
/// The longest name of an item that the protocol takes, in characters.
const MAX_NAME: usize = 128;
/// What a charge or a refund is said to be of. The provider wants an item; ours are in the order.
const ITEM: &str = "Engangslisens";
/// No sum of one payment is larger.
const MAX_ORE: i64 = 1_000_000_000_000;

/// Errors are `application/json`.
pub(crate) static DIALECT: Dialect = Dialect {
    provider: metrics::NEXI,
    error_type: "application/json",
    detail,
};

pub(super) fn creation(payment: &NewPayment, terms_url: &str, authorization: &Secret) -> Value {
    let name: String = payment.description.chars().take(MAX_NAME).collect();
    let webhooks: Vec<Value> = match &payment.webhook_url {
        None => Vec::new(),
        Some(url) => EVENTS
            .iter()
            .map(|event| json!({ "eventName": event, "url": url, "authorization": authorization.expose() }))
            .collect(),
    };
    json!({
        "order": {
            "items": [item(&name, payment.amount_ore)],
            "amount": payment.amount_ore,
            "currency": CURRENCY,
            "reference": payment.reference,
        },
        "checkout": {
            "integrationType": "HostedPaymentPage",
            "returnUrl": payment.return_url,
            "cancelUrl": payment.return_url,
            "termsUrl": terms_url,
            // The shop knows its customers: the provider asks for no name and no address.
            "merchantHandlesConsumerData": true,
            "charge": false,
        },
        "notifications": { "webHooks": webhooks },
    })
}

/// The body of a charge, a refund and a cancel.
pub(super) fn change_of(amount_ore: i64) -> Value {
    json!({ "amount": amount_ore, "orderItems": [item(ITEM, amount_ore)] })
}

fn item(name: &str, amount_ore: i64) -> Value {
    json!({
        "reference": "1",
        "name": name,
        "quantity": 1,
        "unit": "pcs",
        "unitPrice": amount_ore,
        "grossTotalAmount": amount_ore,
        "netTotalAmount": amount_ore,
    })
}

pub(super) fn created(answer: &[u8]) -> Result<CreatedPayment, Error> {
    let answer: CreatedAnswer = parse(answer)?;
    check_payment_id(&answer.payment_id)
        .map_err(|_| Error::Protocol("the payment id can't be sent in a path".to_owned()))?;
    check_redirect(&answer.hosted_payment_page_url)?;
    Ok(CreatedPayment {
        payment_id: answer.payment_id,
        redirect_url: answer.hosted_payment_page_url,
    })
}

/// The answer to a read of `payment_id`.
pub(super) fn payment(answer: &[u8], payment_id: &str) -> Result<Payment, Error> {
    let Answer { payment } = parse(answer)?;
    if payment.payment_id != payment_id {
        return Err(Error::Protocol("the answer is about another payment".to_owned()));
    }
    if payment.order_details.currency != CURRENCY {
        return Err(Error::Protocol("an amount is in another currency".to_owned()));
    }
    let sums = &payment.summary;
    let amounts = [
        payment.order_details.amount,
        sums.reserved_amount,
        sums.charged_amount,
        sums.refunded_amount,
        sums.cancelled_amount,
    ];
    let parts = payment.charges.iter().map(|charge| charge.amount);
    let parts = parts.chain(payment.refunds.iter().map(|refund| refund.amount));
    if amounts
        .into_iter()
        .chain(parts)
        .any(|ore| !(0..=MAX_ORE).contains(&ore))
    {
        return Err(Error::Protocol("an amount is out of range".to_owned()));
    }
    if payment
        .charges
        .iter()
        .any(|charge| check_payment_id(&charge.id).is_err())
    {
        return Err(Error::Protocol("a charge id can't be sent in a path".to_owned()));
    }
    Ok(payment.into())
}

/// The explanation in an error: `{"errors": {"amount": ["…"]}}`, or `{"message": …, "code": …, "source": …}`.
fn detail(body: &[u8]) -> String {
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let fields = error
        .errors
        .into_iter()
        .map(|(field, texts)| format!("{field}: {}", texts.join(", ")));
    let code = error.code.map(|code| format!("code {code}"));
    let texts = [error.message, code].into_iter().flatten().chain(fields);
    texts.collect::<Vec<_>>().join("; ")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedAnswer {
    payment_id: String,
    hosted_payment_page_url: String,
}

#[derive(Deserialize)]
struct Answer {
    payment: PaymentAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentAnswer {
    payment_id: String,
    #[serde(default)]
    summary: Summary,
    order_details: OrderDetails,
    #[serde(default)]
    charges: Vec<Charge>,
    #[serde(default)]
    refunds: Vec<Refund>,
    /// When it was terminated.
    #[serde(default)]
    terminated: Option<IgnoredAny>,
}

#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Summary {
    reserved_amount: i64,
    charged_amount: i64,
    refunded_amount: i64,
    cancelled_amount: i64,
}

#[derive(Deserialize)]
struct OrderDetails {
    amount: i64,
    currency: String,
    reference: String,
}

#[derive(Deserialize)]
struct Charge {
    #[serde(rename = "chargeId")]
    id: String,
    amount: i64,
    #[serde(default)]
    created: String,
}

#[derive(Deserialize)]
struct Refund {
    amount: i64,
    #[serde(default)]
    state: RefundState,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum RefundState {
    Completed,
    Failed,
    Cancelled,
    Expired,
    /// Pending, or a word newer than this code.
    #[default]
    #[serde(other)]
    UnderWay,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    errors: BTreeMap<String, Vec<String>>,
    message: Option<String>,
    code: Option<String>,
}

impl From<PaymentAnswer> for Payment {
    fn from(answer: PaymentAnswer) -> Self {
        let sums = answer.summary;
        // Money that was taken had been reserved, whatever the provider still shows as reserved.
        let authorized_ore = sums
            .reserved_amount
            .max(sums.charged_amount + sums.cancelled_amount);
        let state = if authorized_ore > 0 {
            PaymentState::Authorized
        } else if answer.terminated.is_some() {
            PaymentState::Terminated
        } else {
            PaymentState::Created
        };
        let mut made = answer.charges;
        // One order, whatever the provider's: a repeated refund must choose the same charges.
        made.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        let in_state = |wanted: &[RefundState]| {
            let refunds = answer.refunds.iter();
            refunds
                .filter(|refund| wanted.contains(&refund.state))
                .map(|refund| refund.amount)
                .collect::<Vec<_>>()
        };
        let over = [RefundState::Failed, RefundState::Cancelled, RefundState::Expired];
        let charges = Charges {
            made: made
                .into_iter()
                .map(|charge| (charge.id, charge.amount))
                .collect(),
            refunding_ore: in_state(&[RefundState::UnderWay]).iter().sum(),
            failed_refunds: in_state(&over).len(),
        };
        Self {
            reference: answer.order_details.reference,
            payment_id: answer.payment_id,
            state,
            amount_ore: answer.order_details.amount,
            authorized_ore,
            captured_ore: sums.charged_amount,
            cancelled_ore: sums.cancelled_amount,
            refunded_ore: sums.refunded_amount,
            charges,
        }
    }
}

#[cfg(test)]
mod tests;
