//! The Vipps MobilePay ePayment adapter.
//!
//! Sources: <https://developer.vippsmobilepay.com/docs/APIs/epayment-api/> and, for webhooks,
//! <https://developer.vippsmobilepay.com/docs/APIs/webhooks-api/request-authentication/>.
//!
//! **Invariant:** every request is safe to repeat (a read, or a change with an `Idempotency-Key`), so `client` may retry
//! each. The idempotency key of a create *is* its reference.

mod client;
mod options;
mod token;
pub(crate) mod wire;

pub mod webhook;

use async_trait::async_trait;

use self::client::{Call, Client};
use crate::checks::{check_amount, check_key, check_reference, check_url, refused};
use crate::port::{CreatedPayment, Error, NewPayment, Payment, PaymentProvider};

pub use options::{CredentialArgs, Credentials, VippsOptions};

/// The longest `paymentDescription` the protocol takes, in characters.
const MAX_DESCRIPTION: usize = 100;
const PAYMENTS: &str = "epayment/v1/payments";

/// A change of a payment. `cancel` is two operations in one at the provider, told apart by its body.
#[derive(Clone, Copy)]
enum Change {
    Capture(i64),
    Refund(i64),
    /// Cancel only what is not authorized yet.
    Abort,
    /// Cancel a reservation.
    Release,
}

/// Vipps MobilePay as a [`PaymentProvider`].
#[derive(Debug)]
pub struct Vipps {
    client: Client,
}

impl Vipps {
    /// Prepares the adapter without using the network. Fails with [`Error::Protocol`] on a base URL or a credential that
    /// can't be sent.
    pub fn new(options: VippsOptions) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(options)?,
        })
    }

    async fn read(&self, reference: &str) -> Result<wire::PaymentAnswer, Error> {
        check_reference(reference)?;
        let answer = self
            .client
            .call(&Call::read("get", format!("{PAYMENTS}/{reference}")))
            .await?;
        wire::payment(&answer, reference)
    }

    async fn change(&self, change: Change, reference: &str, idempotency_key: &str) -> Result<Payment, Error> {
        check_reference(reference)?;
        check_key(idempotency_key)?;
        let (operation, resource, body) = match change {
            Change::Capture(amount_ore) => (
                "capture",
                "capture",
                wire::modification(check_amount(amount_ore)?),
            ),
            Change::Refund(amount_ore) => ("refund", "refund", wire::modification(check_amount(amount_ore)?)),
            Change::Abort => ("abort", "cancel", wire::abort()),
            Change::Release => ("release", "cancel", wire::release()),
        };
        let path = format!("{PAYMENTS}/{reference}/{resource}");
        let answer = self
            .client
            .call(&Call::change(operation, path, idempotency_key, body))
            .await?;
        Ok(wire::payment(&answer, reference)?.into())
    }

    /// The address of a payment that exists already, if its amount is the one asked for.
    async fn existing(&self, payment: &NewPayment) -> Result<CreatedPayment, Error> {
        let found = match self.read(&payment.reference).await {
            Ok(found) => found,
            // The reference is first taken and then unknown: another request of ours is in flight.
            Err(Error::NotFound) => {
                return Err(Error::Unavailable("conflict on an unknown reference".to_owned()));
            }
            Err(error) => return Err(error),
        };
        if found.amount_ore() != payment.amount_ore {
            return Err(refused(
                409,
                "the reference belongs to a payment of another amount",
            ));
        }
        let redirect_url = found.redirect_url.as_deref();
        let redirect_url =
            redirect_url.ok_or_else(|| refused(409, "the payment can no longer be approved"))?;
        wire::redirect_to(redirect_url, &payment.reference)
    }
}

#[async_trait]
impl PaymentProvider for Vipps {
    fn name(&self) -> &'static str {
        wire::DIALECT.provider
    }

    async fn create(&self, payment: &NewPayment) -> Result<CreatedPayment, Error> {
        check_reference(&payment.reference)?;
        check_amount(payment.amount_ore)?;
        check_url("return URL", &payment.return_url)?;
        let description: String = payment.description.chars().take(MAX_DESCRIPTION).collect();
        let body = wire::creation(payment, &description);
        let call = Call::change("create", PAYMENTS.to_owned(), &payment.reference, body);
        match self.client.call(&call).await {
            Ok(answer) => wire::created(&answer, &payment.reference),
            Err(Error::Refused { status: 409, .. }) => self.existing(payment).await,
            Err(error) => Err(error),
        }
    }

    async fn get(&self, payment_id: &str) -> Result<Payment, Error> {
        Ok(self.read(payment_id).await?.into())
    }

    async fn capture(
        &self,
        payment_id: &str,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error> {
        self.change(Change::Capture(amount_ore), payment_id, idempotency_key)
            .await
    }

    async fn refund(
        &self,
        payment: &Payment,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error> {
        self.change(Change::Refund(amount_ore), &payment.payment_id, idempotency_key)
            .await
    }

    async fn abort(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error> {
        self.change(Change::Abort, payment_id, idempotency_key).await
    }

    async fn release(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error> {
        self.change(Change::Release, payment_id, idempotency_key).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let options = VippsOptions {
            base_url: "http://127.0.0.1:1".to_owned(),
            credentials: Credentials {
                client_id: "the-id".to_owned(),
                client_secret: "the-secret".to_owned(),
                subscription_key: "the-key".to_owned(),
                merchant_serial_number: "123456".to_owned(),
            },
            limits: crate::Limits::default(),
        };
        for shown in [
            format!("{options:?}"),
            format!("{:?}", Vipps::new(options).unwrap()),
        ] {
            assert!(
                !shown.contains("the-secret") && !shown.contains("the-key"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_base_url_that_is_none_is_refused_at_start() {
        let credentials = Credentials {
            client_id: String::new(),
            client_secret: String::new(),
            subscription_key: String::new(),
            merchant_serial_number: String::new(),
        };
        for base_url in ["", "api.vipps.no", "ftp://api.vipps.no", "data:text/plain,x"] {
            let options = VippsOptions {
                base_url: base_url.to_owned(),
                credentials: credentials.clone(),
                limits: crate::Limits::default(),
            };
            assert!(
                matches!(Vipps::new(options), Err(Error::Protocol(_))),
                "{base_url}"
            );
        }
    }
}
