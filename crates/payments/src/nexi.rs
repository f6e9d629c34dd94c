//! The Nexi Checkout (Nets Easy) adapter.
//!
//! Sources: <https://developer.nexigroup.com/nexi-checkout/en-EU/api/payment-v1/> and, for webhooks,
//! <https://developer.nexigroup.com/nexi-checkout/en-EU/api/webhooks/>.
//!
//! Charges and refunds carry an `Idempotency-Key`. Terminating and cancelling have the same effect once and twice: after
//! a refusal the payment is read, and if it is as wanted, that is the answer. **A create is not idempotent**: it is sent
//! again only if the first request was not sent. A lost answer leaves a payment whose page no customer is sent to: it
//! can't be paid, and it ends by itself.

mod options;
mod refund;
pub(crate) mod wire;

pub mod webhook;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secret::Secret;
use serde_json::Value;

use crate::checks::{check_amount, check_key, check_payment_id, check_reference, check_url, refused};
use crate::client::{self, Repeat, sensitive};
use crate::port::{CreatedPayment, Error, NewPayment, Payment, PaymentProvider, PaymentState};

pub use options::{BadNexiSecret, CredentialArgs, Credentials, NexiOptions};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest webhook URL the protocol takes.
const MAX_WEBHOOK_URL: usize = 256;

/// Nexi Checkout as a [`PaymentProvider`].
#[derive(Debug)]
pub struct Nexi {
    http: client::Client,
    /// Marked sensitive, so `Debug` hides it.
    secret_key: HeaderValue,
    webhook_authorization: Secret,
    terms_url: String,
}

/// One request to the API.
struct Call<'a> {
    operation: &'static str,
    method: Method,
    path: String,
    idempotency_key: Option<&'a str>,
    body: Option<Value>,
    repeat: Repeat,
}

impl Nexi {
    /// Prepares the adapter without using the network. Fails with [`Error::Protocol`] on a base URL or a credential that
    /// can't be sent.
    pub fn new(options: NexiOptions) -> Result<Self, Error> {
        check_url("terms URL", &options.terms_url)
            .map_err(|_| Error::Protocol("the terms URL is not an http or https URL".to_owned()))?;
        Ok(Self {
            http: client::Client::new(&wire::DIALECT, &options.base_url, options.limits)?,
            secret_key: sensitive(options.credentials.secret_key.expose())?,
            webhook_authorization: options.credentials.webhook_authorization,
            terms_url: options.terms_url,
        })
    }

    async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, Error> {
        let attempt = || async {
            let mut request = self
                .http
                .request(call.method.clone(), &call.path)?
                .header(AUTHORIZATION, self.secret_key.clone());
            if let Some(key) = call.idempotency_key {
                request = request.header(IDEMPOTENCY_KEY, key);
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            self.http.send(request).await
        };
        self.http.call(call.operation, call.repeat, attempt).await
    }

    async fn read(&self, payment_id: &str) -> Result<Payment, Error> {
        let answer = self
            .call(Call {
                operation: "get",
                method: Method::GET,
                path: format!("v1/payments/{payment_id}"),
                idempotency_key: None,
                body: None,
                repeat: Repeat::WhenItMayPass,
            })
            .await?;
        wire::payment(&answer, payment_id)
    }

    /// A change whose answer tells nothing but that it is done.
    async fn change(
        &self,
        operation: &'static str,
        method: Method,
        path: String,
        idempotency_key: Option<&str>,
        body: Option<Value>,
    ) -> Result<(), Error> {
        self.call(Call {
            operation,
            method,
            path,
            idempotency_key,
            body,
            repeat: Repeat::WhenItMayPass,
        })
        .await
        .map(drop)
    }

    /// The payment after a change without an idempotency key. A refusal counts as done if the payment is as wanted: an
    /// earlier request did it.
    async fn read_after(
        &self,
        changed: Result<(), Error>,
        payment_id: &str,
        is_done: impl Fn(&Payment) -> bool,
    ) -> Result<Payment, Error> {
        match changed {
            Ok(()) => self.read(payment_id).await,
            Err(refusal @ Error::Refused { .. }) => {
                let payment = self.read(payment_id).await?;
                if is_done(&payment) {
                    Ok(payment)
                } else {
                    Err(refusal)
                }
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl PaymentProvider for Nexi {
    fn name(&self) -> &'static str {
        wire::DIALECT.provider
    }

    async fn create(&self, payment: &NewPayment) -> Result<CreatedPayment, Error> {
        check_reference(&payment.reference)?;
        check_amount(payment.amount_ore)?;
        check_url("return URL", &payment.return_url)?;
        if let Some(url) = &payment.webhook_url {
            check_url("webhook URL", url)?;
            if url.len() > MAX_WEBHOOK_URL {
                return Err(refused(400, "the webhook URL is too long"));
            }
        }
        let answer = self
            .call(Call {
                operation: "create",
                method: Method::POST,
                path: "v1/payments".to_owned(),
                idempotency_key: None,
                body: Some(wire::creation(
                    payment,
                    &self.terms_url,
                    &self.webhook_authorization,
                )),
                repeat: Repeat::WhenUnsent,
            })
            .await?;
        wire::created(&answer)
    }

    async fn get(&self, payment_id: &str) -> Result<Payment, Error> {
        check_payment_id(payment_id)?;
        self.read(payment_id).await
    }

    async fn capture(
        &self,
        payment_id: &str,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error> {
        check_payment_id(payment_id)?;
        check_key(idempotency_key)?;
        let body = wire::change_of(check_amount(amount_ore)?);
        let path = format!("v1/payments/{payment_id}/charges");
        self.change("capture", Method::POST, path, Some(idempotency_key), Some(body))
            .await?;
        self.read(payment_id).await
    }

    async fn refund(
        &self,
        payment: &Payment,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error> {
        check_amount(amount_ore)?;
        check_key(idempotency_key)?;
        refund::refund(self, payment, amount_ore, idempotency_key).await?;
        self.read(&payment.payment_id).await
    }

    async fn abort(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error> {
        check_payment_id(payment_id)?;
        check_key(idempotency_key)?;
        let path = format!("v1/payments/{payment_id}/terminate");
        let ended = self.change("abort", Method::PUT, path, None, None).await;
        self.read_after(ended, payment_id, |payment| {
            payment.state == PaymentState::Terminated
        })
        .await
    }

    /// Nexi takes a cancel of everything that is reserved and not charged, and of no other amount.
    async fn release(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error> {
        check_payment_id(payment_id)?;
        check_key(idempotency_key)?;
        let payment = self.read(payment_id).await?;
        if payment.state != PaymentState::Authorized {
            return Err(refused(409, "the payment is not authorized"));
        }
        let left_ore = payment.collectable_ore();
        if left_ore == 0 {
            return Ok(payment);
        }
        let path = format!("v1/payments/{payment_id}/cancels");
        let body = Some(wire::change_of(left_ore));
        let released = self.change("release", Method::POST, path, None, body).await;
        self.read_after(released, payment_id, |payment| payment.collectable_ore() == 0)
            .await
    }
}
