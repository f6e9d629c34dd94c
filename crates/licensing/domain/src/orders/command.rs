//! What an order can be asked to do.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use events::RefundFailure;
use uuid::Uuid;

use super::collect::{CapturePolicy, PaymentBooks, Resolution};
use super::place::PlaceOrder;
use super::refunds::RequestRefund;
use crate::persons::EraseHolder;

/// What an order can be asked to do.
#[derive(Clone)]
pub enum OrderCommand {
    /// Place the order.
    Place(Box<PlaceOrder>),
    /// Record where the customer pays.
    RequestPayment {
        /// The payment's id at the provider.
        payment_id: String,
        /// The provider's page.
        redirect_url: String,
    },
    /// Record that the provider holds the customer's money.
    ConfirmPayment {
        /// The payment's reference.
        reference: String,
        /// How much the provider has authorized, in øre.
        authorized_ore: i64,
        /// The moment of the command.
        now: DateTime<Utc>,
        /// Whether other orders hold days of this order, so that the log refused its claims: the order had expired and
        /// released them, or is older than claims.
        days_taken: bool,
    },
    /// Record that the payment ended without money.
    DeclinePayment {
        /// The payment's reference.
        reference: String,
    },
    /// Record that the provider no longer waits for the customer.
    RecordPaymentExpired {
        /// The payment's reference.
        reference: String,
    },
    /// Cancel the unpaid order. Its payment is ended at the provider afterwards.
    Cancel {
        /// Who asks: only its own customer may.
        customer_id: Uuid,
    },
    /// Expire the order. Only after its payment, if there is one, was ended at the provider.
    Expire {
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Record that every line has its license.
    Fulfill,
    /// Give the money back instead of issuing: a holder or a vehicle of the order is suspended.
    RefuseSuspended,
    /// Reconcile the order with the provider's books.
    ReconcilePayment {
        /// The books.
        books: PaymentBooks,
        /// What to do without asking when the money can't be collected.
        policy: Arc<CapturePolicy>,
    },
    /// Record a person's decision about money that can't be collected.
    ResolveCapture(Resolution),
    /// Give the money of lines back.
    RequestRefund(Box<RequestRefund>),
    /// Forget a holder.
    EraseHolder(Box<EraseHolder>),
    /// Record that the provider does not give the money back.
    RecordRefundFailure {
        /// The provider's books.
        books: PaymentBooks,
        /// Why.
        reason: RefundFailure,
    },
}
