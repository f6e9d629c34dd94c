//! The protocol's JSON, and its translation into the port's types.
//!
//! Unknown fields are ignored: Vipps adds some.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::token::Token;
use crate::checks::check_redirect;
use crate::client::{Dialect, parse};
use crate::metrics;
use crate::port::{Charges, CreatedPayment, Error, NewPayment, Payment, PaymentState};

const CURRENCY: &str = "NOK";
/// Errors are `application/problem+json`.
pub(crate) static DIALECT: Dialect = Dialect {
    provider: metrics::VIPPS,
    error_type: "application/problem+json",
    detail: problem_detail,
};

pub(super) fn creation(payment: &NewPayment, description: &str) -> Value {
    json!({
        "amount": amount(payment.amount_ore),
        "paymentMethod": { "type": "WALLET" },
        "reference": payment.reference,
        "userFlow": "WEB_REDIRECT",
        "returnUrl": payment.return_url,
        "paymentDescription": description,
    })
}

pub(super) fn modification(amount_ore: i64) -> Value {
    json!({ "modificationAmount": amount(amount_ore) })
}

/// Cancels a payment that is not authorized. The provider refuses this for an authorized one.
pub(super) fn abort() -> Value {
    json!({ "cancelTransactionOnly": true })
}

/// Cancels what is authorized and not captured.
pub(super) fn release() -> Value {
    json!({})
}

fn amount(value: i64) -> Value {
    json!({ "currency": CURRENCY, "value": value })
}

pub(super) fn token(answer: &[u8]) -> Result<Token, Error> {
    let answer: TokenAnswer = parse(answer)?;
    if answer.access_token.is_empty() || !answer.access_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::Protocol(
            "the access token can't be sent in a header".to_owned(),
        ));
    }
    let seconds = match answer.expires_in {
        Seconds::Number(seconds) => Some(seconds),
        Seconds::Text(text) => text.parse().ok(),
    };
    let seconds =
        seconds.ok_or_else(|| Error::Protocol("the access token's life is not a number".to_owned()))?;
    Ok(Token::new(&answer.access_token, Duration::from_secs(seconds)))
}

pub(super) fn created(answer: &[u8], reference: &str) -> Result<CreatedPayment, Error> {
    let answer: CreatedAnswer = parse(answer)?;
    expect_reference(&answer.reference, reference)?;
    redirect_to(&answer.redirect_url, reference)
}

pub(super) fn redirect_to(redirect_url: &str, reference: &str) -> Result<CreatedPayment, Error> {
    check_redirect(redirect_url)?;
    Ok(CreatedPayment {
        payment_id: reference.to_owned(),
        redirect_url: redirect_url.to_owned(),
    })
}

/// The answer to a read, a capture, a refund or a cancel of `reference`.
pub(super) fn payment(answer: &[u8], reference: &str) -> Result<PaymentAnswer, Error> {
    let answer: PaymentAnswer = parse(answer)?;
    expect_reference(&answer.reference, reference)?;
    let aggregate = &answer.aggregate;
    let amounts = [
        &answer.amount,
        &aggregate.authorized_amount,
        &aggregate.captured_amount,
        &aggregate.cancelled_amount,
        &aggregate.refunded_amount,
    ];
    if amounts.iter().any(|amount| amount.currency != CURRENCY) {
        return Err(Error::Protocol("an amount is in another currency".to_owned()));
    }
    if amounts.iter().any(|amount| amount.value < 0) {
        return Err(Error::Protocol("an amount is negative".to_owned()));
    }
    Ok(answer)
}

/// The explanation in a problem+json body, or nothing.
fn problem_detail(body: &[u8]) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let texts = [problem.title, problem.detail];
    texts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn expect_reference(found: &str, expected: &str) -> Result<(), Error> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::Protocol("the answer is about another payment".to_owned()))
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Seconds,
}

/// The API documents a number and sends a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedAnswer {
    redirect_url: String,
    reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentAnswer {
    reference: String,
    state: State,
    amount: Amount,
    aggregate: Aggregate,
    /// Only in the answer to a read.
    #[serde(default)]
    pub(super) redirect_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Created,
    Authorized,
    Aborted,
    Expired,
    Terminated,
}

#[derive(Deserialize)]
struct Amount {
    currency: String,
    value: i64,
}

#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aggregate {
    authorized_amount: Amount,
    captured_amount: Amount,
    cancelled_amount: Amount,
    refunded_amount: Amount,
}

#[derive(Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl PaymentAnswer {
    pub(super) fn amount_ore(&self) -> i64 {
        self.amount.value
    }
}

impl From<PaymentAnswer> for Payment {
    fn from(answer: PaymentAnswer) -> Self {
        Self {
            payment_id: answer.reference.clone(),
            reference: answer.reference,
            state: match answer.state {
                State::Created => PaymentState::Created,
                State::Authorized => PaymentState::Authorized,
                State::Aborted => PaymentState::Aborted,
                State::Expired => PaymentState::Expired,
                State::Terminated => PaymentState::Terminated,
            },
            amount_ore: answer.amount.value,
            authorized_ore: answer.aggregate.authorized_amount.value,
            captured_ore: answer.aggregate.captured_amount.value,
            cancelled_ore: answer.aggregate.cancelled_amount.value,
            refunded_ore: answer.aggregate.refunded_amount.value,
            charges: Charges::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "acme-shop-123-order123abc";

    /// The shape published in the ePayment API guide.
    fn published() -> Value {
        json!({
            "aggregate": {
                "authorizedAmount": { "currency": "NOK", "value": 49_900 },
                "cancelledAmount": { "currency": "NOK", "value": 0 },
                "capturedAmount": { "currency": "NOK", "value": 19_900 },
                "refundedAmount": { "currency": "NOK", "value": 900 }
            },
            "amount": { "currency": "NOK", "value": 49_900 },
            "state": "AUTHORIZED",
            "paymentMethod": { "type": "WALLET" },
            "profile": {},
            "pspReference": "3343121302",
            "redirectUrl": "https://landing.vipps.no/?token=abc123",
            "reference": REFERENCE
        })
    }

    #[test]
    fn the_published_answer_is_understood() {
        let answer = payment(published().to_string().as_bytes(), REFERENCE).unwrap();
        assert_eq!(
            answer.redirect_url.as_deref(),
            Some("https://landing.vipps.no/?token=abc123")
        );
        let expected = Payment {
            reference: REFERENCE.to_owned(),
            payment_id: REFERENCE.to_owned(),
            state: PaymentState::Authorized,
            amount_ore: 49_900,
            authorized_ore: 49_900,
            captured_ore: 19_900,
            cancelled_ore: 0,
            refunded_ore: 900,
            charges: Charges::default(),
        };
        assert_eq!(Payment::from(answer), expected);
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_refused_without_quoting_it() {
        let spoilt = [
            ("/reference", json!("another-order")),
            ("/state", json!("SETTLED-BY-OLA")),
            ("/amount/currency", json!("DKK")),
            ("/aggregate/capturedAmount/value", json!(-1)),
            ("/aggregate/capturedAmount/value", json!(1.5)),
            ("/aggregate/refundedAmount", Value::Null),
        ];
        for (pointer, value) in spoilt {
            let mut body = published();
            *body.pointer_mut(pointer).unwrap() = value;
            let Err(error @ Error::Protocol(_)) = payment(body.to_string().as_bytes(), REFERENCE) else {
                panic!("{pointer} accepted");
            };
            assert!(!error.to_string().contains("OLA"), "{error}");
        }
    }

    #[test]
    fn a_token_lives_for_a_number_or_a_text_of_seconds() {
        assert!(token(br#"{"access_token":"a","expires_in":3599}"#).is_ok());
        assert!(token(br#"{"access_token":"a","expires_in":"86398","token_type":"Bearer"}"#).is_ok());
        for bad in [
            r#"{"access_token":"a\n","expires_in":1}"#,
            r#"{"access_token":"a","expires_in":"x"}"#,
        ] {
            assert!(token(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_explanation_is_the_title_and_the_detail() {
        let body = json!({ "title": "Bad", "detail": "because" }).to_string();
        assert_eq!(problem_detail(body.as_bytes()), "Bad: because");
        assert_eq!(problem_detail(b"<html>"), "");
    }
}
