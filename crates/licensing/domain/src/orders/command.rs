//! What an order can be asked to do.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::collect::{CapturePolicy, PaymentBooks, Resolution};
use super::place::PlaceOrder;

/// What an order can be asked to do.
#[derive(Clone)]
pub enum OrderCommand {
    /// Exist.
    Place(Box<PlaceOrder>),
    /// Remember where the customer pays.
    RequestPayment {
        /// The provider's page.
        redirect_url: String,
    },
    /// Hear from the provider that it holds the customer's money.
    ConfirmPayment {
        /// The payment's reference.
        reference: String,
        /// How much the provider has authorized, in øre.
        authorized_ore: i64,
        /// The moment of the command.
        now: DateTime<Utc>,
        /// Whether the log refused the order its days, because others hold some of them: the order had expired and given
        /// them back, or is older than claims.
        days_taken: bool,
    },
    /// Hear from the provider that the payment ended without money.
    DeclinePayment {
        /// The payment's reference.
        reference: String,
    },
    /// Hear from the provider that it no longer waits for the customer.
    RecordPaymentExpired {
        /// The payment's reference.
        reference: String,
    },
    /// Give up waiting. Only after the payment, if there is one, was ended at the provider.
    Expire {
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Have all its licenses.
    Fulfill,
    /// Hear what the provider's books say of the money for its licenses.
    ReconcilePayment {
        /// The books.
        books: PaymentBooks,
        /// What to do without asking when the money can't be collected.
        policy: Arc<CapturePolicy>,
    },
    /// Hear from a person what becomes of money that can't be collected.
    ResolveCapture(Resolution),
    /// Have the money back with the customer.
    RecordRefund {
        /// How much was released before it was collected, in øre.
        released_ore: i64,
        /// How much was paid back after it was collected, in øre.
        refunded_ore: i64,
    },
}
