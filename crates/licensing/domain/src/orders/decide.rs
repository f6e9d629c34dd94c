//! What follows from a command on an order: events, or a refusal.

use chrono::{DateTime, Utc};
use events::{
    CancelReason, OrderCancelled, OrderCancelledByCustomer, OrderEvent, OrderExpired, OrderFulfilled,
    OrderPaid, OrderPlaced, PaymentRequested, RefundReason, RefundRequested, aggregate_type,
};
use uuid::Uuid;
use vocabulary::OrderStatus;

use super::command::OrderCommand;
use super::place::PlaceOrder;
use super::state::Order;
use crate::aggregate::aggregate;
use crate::day::today;
use crate::refusal::Refusal;

aggregate!(Order: aggregate_type::ORDER, OrderCommand => OrderEvent);

impl Order {
    /// The events of a command, without recording them. A caller can skip a command without events.
    pub fn decide(&self, command: OrderCommand) -> Result<Vec<OrderEvent>, Refusal> {
        let command = match command {
            OrderCommand::Place(place) => return Ok(vec![self.place(&place)?]),
            other => other,
        };
        let placed = self.placed().ok_or(Refusal::Unknown)?;
        let event = match command {
            OrderCommand::Place(_) => Err(Refusal::Exists),
            OrderCommand::ReconcilePayment { books, policy } => {
                return self.reconcile(placed, &books, &policy);
            }
            OrderCommand::EraseHolder(asked) => return self.erase_holder(placed, &asked),
            OrderCommand::ResolveCapture(resolution) => self.resolve(&resolution).map(Some),
            OrderCommand::RequestPayment {
                payment_id,
                redirect_url,
            } => self.request_payment(placed, payment_id, redirect_url),
            OrderCommand::ConfirmPayment {
                reference,
                authorized_ore,
                now,
                days_taken,
            } => self.confirm_payment(placed, reference, authorized_ore, now, days_taken),
            OrderCommand::DeclinePayment { reference } => self.decline_payment(&reference),
            OrderCommand::RecordPaymentExpired { reference } => self.record_payment_expired(&reference),
            OrderCommand::Expire { now } => self.expire(placed, now),
            OrderCommand::Fulfill => self.fulfill(placed),
            OrderCommand::Cancel { customer_id } => self.cancel(placed, customer_id),
            OrderCommand::RequestRefund(asked) => self.request_refund(placed, &asked),
            OrderCommand::RecordRefundFailure { books, reason } => self.refund_failed(placed, &books, reason),
            OrderCommand::RefuseSuspended => self.refuse_suspended(placed),
        };
        Ok(event?.into_iter().collect())
    }

    fn place(&self, place: &PlaceOrder) -> Result<OrderEvent, Refusal> {
        if self.placed.is_some() {
            return Err(Refusal::Exists);
        }
        place.check().map(OrderEvent::from)
    }

    /// Only an order that waits for its payment records where it is paid. One that ended refuses. The first payment that is
    /// recorded is the order's payment: a provider may have started several.
    fn request_payment(
        &self,
        placed: &OrderPlaced,
        payment_id: String,
        redirect_url: String,
    ) -> Result<Option<OrderEvent>, Refusal> {
        if self.over() {
            return Err(Refusal::OrderState);
        }
        Ok((self.status == Some(OrderStatus::Placed)).then(|| {
            PaymentRequested {
                provider: placed.payment_provider.clone(),
                reference: payment_id,
                redirect_url,
                amount_ore: placed.total_ore,
            }
            .into()
        }))
    }

    fn confirm_payment(
        &self,
        placed: &OrderPlaced,
        reference: String,
        authorized_ore: i64,
        now: DateTime<Utc>,
        days_taken: bool,
    ) -> Result<Option<OrderEvent>, Refusal> {
        if !self.is_payment(&reference) || authorized_ore <= 0 {
            return Err(Refusal::PaymentMismatch);
        }
        let refund = |reason| {
            RefundRequested {
                reason,
                reference: reference.clone(),
                amount_ore: authorized_ore,
            }
            .into()
        };
        // By the day in Norway on which the payment is confirmed: a license for yesterday is never issued. Issuing that is
        // late afterwards changes nothing for a customer who paid in time.
        let in_time =
            !Self::has_erased(placed) && placed.lines.iter().all(|line| line.activity_date >= today(now));
        match self.status {
            Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired)
                if authorized_ore != placed.total_ore =>
            {
                Ok(Some(refund(RefundReason::WrongAmount)))
            }
            Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired) if !in_time => {
                Ok(Some(refund(RefundReason::PaidTooLate)))
            }
            Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired) if days_taken => {
                Ok(Some(refund(RefundReason::PaidTooLate)))
            }
            Some(OrderStatus::Cancelled) => Ok(Some(refund(RefundReason::PaidTooLate))),
            // A payment in time, or one that revives an expired order whose days are still ahead.
            Some(OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired) => Ok(Some(
                OrderPaid {
                    provider: placed.payment_provider.clone(),
                    reference,
                    authorized_ore,
                }
                .into(),
            )),
            // Recorded before.
            Some(
                OrderStatus::Paid
                | OrderStatus::Fulfilled
                | OrderStatus::CaptureFailed
                | OrderStatus::RefundPending
                | OrderStatus::Refunded,
            ) => Ok(None),
            None => Err(Refusal::Unknown),
        }
    }

    fn decline_payment(&self, reference: &str) -> Result<Option<OrderEvent>, Refusal> {
        if !self.is_payment(reference) {
            return Err(Refusal::PaymentMismatch);
        }
        Ok(self.awaits_payment().then(|| {
            OrderCancelled {
                reason: CancelReason::PaymentDeclined,
            }
            .into()
        }))
    }

    /// The log decides who was first: a payment that is confirmed before keeps the order, one that is confirmed after goes
    /// back. An order that is over stays as it ended.
    fn cancel(&self, placed: &OrderPlaced, customer_id: Uuid) -> Result<Option<OrderEvent>, Refusal> {
        if placed.customer_id != customer_id {
            return Err(Refusal::Unknown);
        }
        if !self.awaits_payment() && !self.over() {
            return Err(Refusal::OrderPaid);
        }
        Ok(self.awaits_payment().then(|| OrderCancelledByCustomer {}.into()))
    }

    /// The provider's time may be shorter than ours: the order has run out of time either way.
    fn record_payment_expired(&self, reference: &str) -> Result<Option<OrderEvent>, Refusal> {
        if !self.is_payment(reference) {
            return Err(Refusal::PaymentMismatch);
        }
        Ok(self.awaits_payment().then(|| OrderExpired {}.into()))
    }

    fn expire(&self, placed: &OrderPlaced, now: DateTime<Utc>) -> Result<Option<OrderEvent>, Refusal> {
        if self.awaits_payment() && now < placed.expires_at {
            return Err(Refusal::NotExpired);
        }
        Ok(self.awaits_payment().then(|| OrderExpired {}.into()))
    }

    fn fulfill(&self, placed: &OrderPlaced) -> Result<Option<OrderEvent>, Refusal> {
        match self.status {
            Some(OrderStatus::Paid) => {
                let license_ids = placed.lines.iter().map(|line| line.license_id).collect();
                Ok(Some(OrderFulfilled { license_ids }.into()))
            }
            _ if self.issued => Ok(None),
            _ => Err(Refusal::OrderState),
        }
    }

    /// Only a paid order without licenses. One that has licenses keeps them: staff suspends or revokes them.
    fn refuse_suspended(&self, placed: &OrderPlaced) -> Result<Option<OrderEvent>, Refusal> {
        match self.status {
            Some(OrderStatus::Paid) => Ok(Some(
                RefundRequested {
                    reason: RefundReason::Suspended,
                    reference: self.payment_id().unwrap_or(&placed.payment_reference).to_owned(),
                    amount_ore: placed.total_ore,
                }
                .into(),
            )),
            _ if self.issued || self.over() => Ok(None),
            _ => Err(Refusal::OrderState),
        }
    }
}
