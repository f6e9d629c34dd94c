//! The port: what the shop asks of any payment provider, and the words it uses for the answers.

use async_trait::async_trait;

/// A payment provider that reserves money first and takes it later.
///
/// All amounts are integer øre in NOK. Every method may be called again with the same arguments after a failure or a
/// crash: the provider does the work once.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// The provider's name in events, metrics and logs: `vipps`.
    fn name(&self) -> &'static str;

    /// Starts a payment and returns where to send the customer. Idempotent by `reference`: asked again for the same
    /// reference and amount, it returns the existing payment's address.
    async fn create(&self, payment: &NewPayment) -> Result<CreatedPayment, Error>;

    /// Reads the payment from the provider: the only source to decide on.
    async fn get(&self, reference: &str) -> Result<Payment, Error>;

    /// Takes `amount_ore` of what is authorized. The same `idempotency_key` (1 to 50 characters) takes it once.
    async fn capture(
        &self,
        reference: &str,
        amount_ore: i64,
        idempotency_key: &str,
    ) -> Result<Payment, Error>;

    /// Gives back `amount_ore` of what is captured. The same `idempotency_key` gives it back once.
    async fn refund(&self, reference: &str, amount_ore: i64, idempotency_key: &str)
    -> Result<Payment, Error>;

    /// Ends a payment that the customer has not approved. Never touches a reservation: a payment that is authorized, or
    /// over, is [`Error::Refused`], and the caller reads it again.
    async fn abort(&self, reference: &str, idempotency_key: &str) -> Result<Payment, Error>;

    /// Gives up what is authorized and not captured. For money that has to go back, and for nothing else.
    async fn release(&self, reference: &str, idempotency_key: &str) -> Result<Payment, Error>;
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
}

/// A payment the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedPayment {
    /// The provider's page where the customer approves or declines.
    pub redirect_url: String,
}

/// Where a payment stands. Capture and refund leave it [`Authorized`](Self::Authorized): look at the amounts.
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

/// What the provider says about a payment. Amounts are in øre, never negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Our name for it.
    pub reference: String,
    /// Where it stands.
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
}

/// Why the provider did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider does not know the reference.
    #[error("the provider does not know the payment")]
    NotFound,
    /// The provider will not do it, now or later: asking again the same way is pointless.
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
    /// No usable answer: the work may or may not have been done. Ask again later with the same key.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// An answer that makes no sense. Asking again at once will not help; a person should look.
    #[error("the provider's answer is not understood: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
