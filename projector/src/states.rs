//! What both projections hold of an order or a license, made by one function for both: what `reports` counts is what the rows
//! of `licensing` show.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use events::{CaptureAction, OrderEvent, OrderLine};
use read_model::{LicenseStatus, OrderStatus};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::misfit::Misfit;

/// What decides the status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderState {
    pub(crate) status: OrderStatus,
    /// Its money can't be collected, until that is decided.
    pub(crate) capture_failed: bool,
}

impl OrderState {
    /// Of an order that was placed.
    pub(crate) const PLACED: Self = Self {
        status: OrderStatus::Placed,
        capture_failed: false,
    };

    /// After an event.
    pub(crate) fn after(self, event: &OrderEvent) -> Self {
        let in_status = |status| Self { status, ..self };
        let decided = |status| Self {
            status,
            capture_failed: false,
        };
        match event {
            OrderEvent::OrderPlaced(_) => Self::PLACED,
            OrderEvent::PaymentRequested(_) => in_status(OrderStatus::PaymentPending),
            OrderEvent::OrderPaid(_) => in_status(OrderStatus::Paid),
            OrderEvent::OrderFulfilled(_) => in_status(OrderStatus::Fulfilled),
            OrderEvent::PaymentCaptured(_) if self.capture_failed => decided(OrderStatus::Fulfilled),
            OrderEvent::CaptureFailed(_) => Self {
                status: OrderStatus::CaptureFailed,
                capture_failed: true,
            },
            OrderEvent::CaptureResolved(resolved) => decided(match resolved.action {
                CaptureAction::CollectRest | CaptureAction::WriteOff => OrderStatus::Fulfilled,
                CaptureAction::Revoke => OrderStatus::RefundPending,
            }),
            OrderEvent::OrderCancelled(_) | OrderEvent::OrderCancelledByCustomer(_) => {
                in_status(OrderStatus::Cancelled)
            }
            OrderEvent::OrderExpired(_) => in_status(OrderStatus::Expired),
            OrderEvent::RefundRequested(_) => in_status(OrderStatus::RefundPending),
            OrderEvent::LineRefundsRequested(requested) if requested.ends_order => {
                in_status(OrderStatus::RefundPending)
            }
            OrderEvent::OrderRefunded(_) => decided(OrderStatus::Refunded),
            OrderEvent::PaymentCaptured(_)
            | OrderEvent::PaymentReconciled(_)
            | OrderEvent::LineRefundsRequested(_)
            | OrderEvent::LinesRefunded(_)
            | OrderEvent::RefundFailed(_)
            | OrderEvent::RefundRetried(_)
            | OrderEvent::OrderHolderErased(_) => self,
        }
    }
}

/// The status of a license, of which the first that is true counts.
pub(crate) fn license_status(revoked: bool, suspended: bool, checked_in: bool) -> LicenseStatus {
    if revoked {
        LicenseStatus::Revoked
    } else if suspended {
        LicenseStatus::Suspended
    } else if checked_in {
        LicenseStatus::CheckedIn
    } else {
        LicenseStatus::Issued
    }
}

/// Each day of each line's activity, once, in order.
pub(crate) fn activity_dates(lines: &[OrderLine]) -> Result<BTreeSet<NaiveDate>, Misfit> {
    let mut dates = BTreeSet::new();
    for line in lines {
        for more in 0..bounds::days(line.activity_days, "activity_days")? {
            let day = line.activity_date.checked_add_days(Days::new(more.into()));
            let day = day.ok_or(Misfit::OutOfRange("activity_date"))?;
            dates.insert(bounds::day(day, "activity_date")?);
        }
    }
    Ok(dates)
}
