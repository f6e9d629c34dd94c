//! The port: the operations that the shop needs of a payment provider, and the types of the answers.

use async_trait::async_trait;

/// A payment provider that reserves money first and takes it later.
///
/// All amounts are integer øre in NOK. Every method but [`create`](Self::create) may be called again with the same
/// arguments after a failure or a crash: the provider does the work once. `payment_id` is the one that `create` returned.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// The provider's name in events, metrics and logs, such as `vipps`.
    fn name(&self) -> &'static str;

    /// Starts a payment and returns its id and where to send the customer.
    ///
    /// Idempotent by `reference` at Vipps: a repeated call with the same reference and amount returns the existing payment.
    /// **Not idempotent at Nexi**: each call may start another payment, also one whose answer is lost. The caller records the
    /// id of one payment before a customer sees its page, and terminates the others.
    async fn create(&self, payment: &NewPayment) -> Result<CreatedPayment, Error>;

    /// Reads the payment from the provider: the only source to decide on.
    async fn get(&self, payment_id: &str) -> Result<Payment, Error>;

    /// Takes `amount_ore` of what is authorized. The same `idempotency_key` (1 to 50 characters) takes it once.
    async fn capture(
        &self,
        payment_id: &str,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error>;

    /// Gives back `amount_ore` of what is captured. The same `idempotency_key` gives it back once.
    ///
    /// `payment` is what the caller has read and decided on. Nexi refunds single charges, so the adapter chooses charges by
    /// these books: the same call is always the same requests, also when an earlier one has moved money since.
    async fn refund(
        &self,
        payment: &Payment,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error>;

    /// Ends a payment that the customer has not approved. Never touches a reservation: a payment that is authorized, or
    /// over, is [`Error::Refused`], and the caller reads it again.
    async fn abort(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error>;

    /// Releases what is authorized and not captured. Only for money that must go back.
    async fn release(&self, payment_id: &str, idempotency_key: &str) -> Result<Payment, Error>;
}

/// A payment to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Our name for it, `^[a-zA-Z0-9-]{8,50}$`, unique for the merchant.
    pub reference: String,
    /// What to reserve, in øre; above zero.
    pub amount_ore: i64,
    /// What the customer sees in the provider's app; cut to what the provider takes. No personal data.
    pub description: String,
    /// Where the provider sends the customer's browser afterwards, whatever the outcome.
    pub return_url: String,
    /// Where the provider sends this payment's webhooks, with the order's id in the query. `None` for a provider that keeps
    /// one address for all payments of the merchant, as Vipps does.
    pub webhook_url: Option<String>,
}

/// A payment the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedPayment {
    /// The provider's name for it. Vipps takes our reference; Nexi gives an id of its own.
    pub payment_id: String,
    /// The provider's page where the customer approves or declines.
    pub redirect_url: String,
}

/// The state of a payment. Capture and refund leave it [`Authorized`](Self::Authorized) and change only the amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// Waiting for the customer.
    Created,
    /// Approved by the customer; the money is reserved.
    Authorized,
    /// Declined by the customer. Final.
    Aborted,
    /// Not answered by the customer in time. Final.
    Expired,
    /// Cancelled by us before the customer approved. Final.
    Terminated,
}

/// A payment as read from the provider. Amounts are in øre, never negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Our name for it.
    pub reference: String,
    /// The provider's name for it, as [`CreatedPayment::payment_id`].
    pub payment_id: String,
    /// Its state.
    pub state: PaymentState,
    /// What was asked for.
    pub amount_ore: i64,
    /// What the customer approved.
    pub authorized_ore: i64,
    /// What has been taken.
    pub captured_ore: i64,
    /// What was released, or never reserved, because the payment was cancelled.
    pub cancelled_ore: i64,
    /// What has been given back.
    pub refunded_ore: i64,
    /// What a refund needs to know, at a provider that refunds single charges.
    pub(crate) charges: Charges,
}

/// The charges of a payment, and the refunds that are not in its sums. Empty at a provider that refunds payments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Charges {
    /// Id and amount of each charge, oldest first.
    pub(crate) made: Vec<(String, i64)>,
    /// What is being given back: neither done nor failed.
    pub(crate) refunding_ore: i64,
    /// How many refunds have failed.
    pub(crate) failed_refunds: usize,
}

impl Payment {
    /// What can still be taken: the part of a reservation that stands and is not captured. A reservation stands only
    /// while the payment is authorized.
    pub const fn collectable_ore(&self) -> i64 {
        match self.state {
            PaymentState::Authorized => {
                let left = self.authorized_ore - self.captured_ore - self.cancelled_ore;
                if left > 0 { left } else { 0 }
            }
            _ => 0,
        }
    }

    /// What was taken and not given back.
    pub const fn kept_ore(&self) -> i64 {
        self.captured_ore - self.refunded_ore
    }

    /// How many refunds were accepted and failed later.
    pub const fn failed_refunds(&self) -> usize {
        self.charges.failed_refunds
    }

    /// What is on its way back to the customer, and may still fail.
    pub const fn refunding_ore(&self) -> i64 {
        self.charges.refunding_ore
    }
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider does not know the payment.
    #[error("the provider does not know the payment")]
    NotFound,
    /// The provider refuses the request for good: repeating it unchanged is pointless.
    ///
    /// `detail` is the provider's own text, for staff: it is left out of the message because it may quote what was
    /// sent.
    #[error("the provider refused the request with status {status}")]
    Refused {
        /// The HTTP status of the refusal.
        status: u16,
        /// The provider's title and detail, cut to 300 characters.
        detail: String,
    },
    /// No usable answer: the work may or may not have been done. Repeat later with the same key.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// An answer against the protocol. Repeating at once does not help; a person must look into it.
    #[error("the provider's answer is not understood: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
