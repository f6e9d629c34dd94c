//! Orders: from a cart to licenses, or to money going back.
//!
//! `placed → payment_pending → paid → fulfilled`, with `cancelled`, `expired` and `refund_pending → refunded`, and
//! `capture_failed` while it is undecided what becomes of licenses whose money can't be collected.
//! A payment that the provider confirms always leads to licenses or to a refund, whatever state it meets.

mod claims;
mod collect;
mod paid;
mod place;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use events::{
    CancelReason, CaptureAction, CaptureFailed, OrderCancelled, OrderEvent, OrderExpired, OrderFulfilled,
    OrderPaid, OrderPlaced, OrderRefunded, PaymentRequested, RefundReason, RefundRequested, RevokeReason,
    aggregate_type,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Refusal;
use crate::day::today;

pub use claims::{ClaimChange, DayClaim};
pub use collect::{CapturePolicy, PaymentBooks, Resolution};
pub use paid::PaidOrder;
pub use place::{AskedLine, MAX_LINES, OrderClub, PlaceOrder, RequestedLine};

/// A customer's purchase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    status: OrderStatus,
    placed: Option<OrderPlaced>,
    redirect_url: Option<String>,
    /// Whether all that is due was collected.
    captured: bool,
    /// Whether its licenses were issued.
    issued: bool,
    /// Money as the log knows it from the provider's books.
    captured_ore: i64,
    refunded_ore: i64,
    /// Why the money can't be collected, until that is decided.
    failure: Option<CaptureFailed>,
    /// What was decided last about money that could not be collected.
    resolved: Option<CaptureAction>,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Not placed yet: there is no order.
    #[default]
    New,
    /// Placed; the provider has not been asked yet.
    Placed,
    /// The customer can pay.
    PaymentPending,
    /// Paid; its licenses are being issued.
    Paid,
    /// Every line has its license.
    Fulfilled,
    /// Will not be paid.
    Cancelled,
    /// Was not paid in time.
    Expired,
    /// Every line has its license, and the money can't be collected: somebody has to decide.
    CaptureFailed,
    /// The money has to go back.
    RefundPending,
    /// The money went back.
    Refunded,
}

impl OrderStatus {
    /// As it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Placed => "placed",
            Self::PaymentPending => "payment_pending",
            Self::Paid => "paid",
            Self::Fulfilled => "fulfilled",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::CaptureFailed => "capture_failed",
            Self::RefundPending => "refund_pending",
            Self::Refunded => "refunded",
        }
    }
}

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

impl Order {
    /// Where it stands.
    pub const fn status(&self) -> OrderStatus {
        self.status
    }

    /// What was ordered.
    pub fn placed(&self) -> Option<&OrderPlaced> {
        self.placed.as_ref()
    }

    /// Where the customer pays, once the provider was asked.
    pub fn redirect_url(&self) -> Option<&str> {
        self.redirect_url.as_deref()
    }

    /// Whether all that is due was collected.
    pub const fn captured(&self) -> bool {
        self.captured
    }

    /// Why the money can't be collected, as long as nothing was decided about it.
    pub const fn capture_failure(&self) -> Option<&CaptureFailed> {
        self.failure.as_ref()
    }

    /// Whether the rest of the money was given up.
    pub fn written_off(&self) -> bool {
        self.resolved == Some(CaptureAction::WriteOff)
    }

    /// Whether it ended, or is about to end, without a license that is valid.
    pub const fn over(&self) -> bool {
        use OrderStatus::{Cancelled, Expired, RefundPending, Refunded};
        matches!(self.status, Cancelled | Expired | RefundPending | Refunded)
    }

    /// Its licenses, if they were issued and may no longer be valid, and why.
    pub fn revoked_licenses(&self) -> Option<(RevokeReason, impl Iterator<Item = Uuid> + '_)> {
        let reason = match self.resolved {
            Some(CaptureAction::Revoke) => RevokeReason::NotCollected,
            _ => RevokeReason::Refunded,
        };
        let over = self.issued && self.over();
        let placed = self.placed().filter(|_| over)?;
        Some((reason, placed.lines.iter().map(|line| line.license_id)))
    }

    /// Whether the customer may still pay.
    pub const fn awaits_payment(&self) -> bool {
        matches!(self.status, OrderStatus::Placed | OrderStatus::PaymentPending)
    }

    /// The order as licenses may be issued for: only when it is paid.
    pub fn paid(&self, order_id: Uuid) -> Option<PaidOrder> {
        let paid = matches!(
            self.status,
            OrderStatus::Paid | OrderStatus::Fulfilled | OrderStatus::CaptureFailed
        );
        self.placed().filter(|_| paid).map(|placed| PaidOrder {
            order_id,
            placed: placed.clone(),
        })
    }

    /// What follows from a command, without anything happening yet. Who asks before sending the command need not send
    /// one that nothing follows from.
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
            OrderCommand::ResolveCapture(resolution) => self.resolve(&resolution).map(Some),
            OrderCommand::RequestPayment { redirect_url } => self.request_payment(placed, redirect_url),
            OrderCommand::ConfirmPayment {
                reference,
                authorized_ore,
                now,
                days_taken,
            } => self.confirm_payment(placed, reference, authorized_ore, now, days_taken),
            OrderCommand::DeclinePayment { reference } => self.decline_payment(placed, &reference),
            OrderCommand::RecordPaymentExpired { reference } => self.lose_payment(placed, &reference),
            OrderCommand::Expire { now } => self.expire(placed, now),
            OrderCommand::Fulfill => self.fulfill(placed),
            OrderCommand::RecordRefund {
                released_ore,
                refunded_ore,
            } => self.record_refund(placed, released_ore, refunded_ore),
        };
        Ok(event?.into_iter().collect())
    }

    fn place(&self, place: &PlaceOrder) -> Result<OrderEvent, Refusal> {
        if self.placed.is_some() {
            return Err(Refusal::Exists);
        }
        place.check().map(OrderEvent::from)
    }

    /// Whatever happened meanwhile, only an order that still waits learns where it is paid; one that ended refuses.
    fn request_payment(
        &self,
        placed: &OrderPlaced,
        redirect_url: String,
    ) -> Result<Option<OrderEvent>, Refusal> {
        if self.over() {
            return Err(Refusal::OrderState);
        }
        Ok((self.status == OrderStatus::Placed).then(|| {
            PaymentRequested {
                provider: placed.payment_provider.clone(),
                reference: placed.payment_reference.clone(),
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
        if reference != placed.payment_reference || authorized_ore <= 0 {
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
        let in_time = placed.lines.iter().all(|line| line.activity_date >= today(now));
        match self.status {
            OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired
                if authorized_ore != placed.total_ore =>
            {
                Ok(Some(refund(RefundReason::WrongAmount)))
            }
            OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired if !in_time => {
                Ok(Some(refund(RefundReason::PaidTooLate)))
            }
            OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired if days_taken => {
                Ok(Some(refund(RefundReason::PaidTooLate)))
            }
            OrderStatus::Cancelled => Ok(Some(refund(RefundReason::PaidTooLate))),
            // A payment in time, or one that revives an expired order whose days are still ahead.
            OrderStatus::Placed | OrderStatus::PaymentPending | OrderStatus::Expired => Ok(Some(
                OrderPaid {
                    provider: placed.payment_provider.clone(),
                    reference,
                    authorized_ore,
                }
                .into(),
            )),
            // Heard before.
            OrderStatus::Paid
            | OrderStatus::Fulfilled
            | OrderStatus::CaptureFailed
            | OrderStatus::RefundPending
            | OrderStatus::Refunded => Ok(None),
            OrderStatus::New => Err(Refusal::Unknown),
        }
    }

    fn decline_payment(&self, placed: &OrderPlaced, reference: &str) -> Result<Option<OrderEvent>, Refusal> {
        if reference != placed.payment_reference {
            return Err(Refusal::PaymentMismatch);
        }
        Ok(self.awaits_payment().then(|| {
            OrderCancelled {
                reason: CancelReason::PaymentDeclined,
            }
            .into()
        }))
    }

    /// The provider's time may be shorter than ours: the order has run out of time either way.
    fn lose_payment(&self, placed: &OrderPlaced, reference: &str) -> Result<Option<OrderEvent>, Refusal> {
        if reference != placed.payment_reference {
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
            OrderStatus::Paid => {
                let license_ids = placed.lines.iter().map(|line| line.license_id).collect();
                Ok(Some(OrderFulfilled { license_ids }.into()))
            }
            _ if self.issued => Ok(None),
            _ => Err(Refusal::OrderState),
        }
    }

    fn record_refund(
        &self,
        placed: &OrderPlaced,
        released_ore: i64,
        refunded_ore: i64,
    ) -> Result<Option<OrderEvent>, Refusal> {
        match self.status {
            OrderStatus::RefundPending => Ok(Some(
                OrderRefunded {
                    reference: placed.payment_reference.clone(),
                    released_ore,
                    refunded_ore,
                }
                .into(),
            )),
            OrderStatus::Refunded => Ok(None),
            _ => Err(Refusal::OrderState),
        }
    }
}

impl Aggregate for Order {
    const TYPE: &'static str = aggregate_type::ORDER;
    type Command = OrderCommand;
    type Event = OrderEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: OrderCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: OrderEvent) {
        self.status = match event {
            OrderEvent::OrderPlaced(order) => {
                self.placed = Some(order);
                OrderStatus::Placed
            }
            OrderEvent::PaymentRequested(requested) => {
                self.redirect_url = Some(requested.redirect_url);
                OrderStatus::PaymentPending
            }
            OrderEvent::OrderPaid(_) => OrderStatus::Paid,
            OrderEvent::OrderFulfilled(_) => {
                self.issued = true;
                OrderStatus::Fulfilled
            }
            OrderEvent::PaymentCaptured(captured) => {
                self.captured = true;
                self.captured_ore = captured.captured_ore;
                self.failure = None;
                match self.status {
                    OrderStatus::CaptureFailed => OrderStatus::Fulfilled,
                    status => status,
                }
            }
            OrderEvent::CaptureFailed(failed) => {
                (self.captured_ore, self.refunded_ore) = (failed.collected_ore, failed.refunded_ore);
                self.failure = Some(failed);
                self.resolved = None;
                OrderStatus::CaptureFailed
            }
            OrderEvent::CaptureResolved(resolved) => {
                self.failure = None;
                self.resolved = Some(resolved.action);
                match resolved.action {
                    CaptureAction::CollectRest | CaptureAction::WriteOff => OrderStatus::Fulfilled,
                    CaptureAction::Revoke => OrderStatus::RefundPending,
                }
            }
            OrderEvent::PaymentReconciled(found) => {
                (self.captured_ore, self.refunded_ore) = (found.captured_ore, found.refunded_ore);
                self.status
            }
            OrderEvent::OrderCancelled(_) => OrderStatus::Cancelled,
            OrderEvent::OrderExpired(_) => OrderStatus::Expired,
            OrderEvent::RefundRequested(_) => OrderStatus::RefundPending,
            OrderEvent::OrderRefunded(refunded) => {
                self.refunded_ore = refunded.refunded_ore;
                self.failure = None;
                OrderStatus::Refunded
            }
        };
    }
}

#[cfg(test)]
mod tests;
