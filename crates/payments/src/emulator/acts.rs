//! What customers, merchants and people in the portal do to a payment, with what goes wrong then.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::AppState;
use super::faults::{Fault, Operation};
use super::payment::{Creation, Later, Payment, Request, Standing, State};
use super::store::Rejected;
use super::switch::Subject;

/// How long a create waits for its webhook, if it is told to.
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(3);

/// What a fault of this payment may apply to.
pub(super) fn subject(creation: &Creation, operation: Option<Operation>) -> Subject<'_> {
    Subject {
        provider: creation.provider(),
        operation,
        reference: &creation.reference,
        payment_id: creation.id(),
    }
}

/// The customer approves.
pub(super) async fn approve(state: &AppState, id: &str) -> Result<Standing, Rejected> {
    let payment = state.store.get(id).await?;
    if payment.now.state != State::Created {
        return state.store.change(id, Request::Approve, None, None).await;
    }
    let (subject, faults) = (subject(&payment.creation, None), &state.faults);
    if faults.applies(subject, Fault::Abandon) {
        return Ok(payment.now);
    }
    if faults.applies(subject, Fault::Decline) {
        return state.store.change(id, Request::Decline, None, None).await;
    }
    let differs = faults.take(subject, |fault| match fault {
        Fault::ApproveDiffers(ore) => Some(ore),
        _ => None,
    });
    let request = match differs {
        Some(ore) => Request::ApproveOther(payment.creation.amount_ore.saturating_add(ore).max(1)),
        None => Request::Approve,
    };
    let ends = faults.take(subject, |fault| match fault {
        Fault::ReservationEndsMs(ms) => Some(Duration::from_millis(ms)),
        _ => None,
    });
    let ends = later(ends.unwrap_or(state.options.reservation_ttl), false);
    let approved = state.store.change(id, request, None, Some(ends)).await?;
    let portal = faults.take(subject, |fault| match fault {
        Fault::PortalCapture(percent) => Some(percent),
        _ => None,
    });
    match portal {
        Some(percent) => {
            let share = share(approved.aggregate.authorized_ore, percent);
            state.store.change(id, Request::Capture(share), None, None).await
        }
        None => Ok(approved),
    }
}

/// The merchant takes money.
pub(super) async fn capture(
    state: &AppState,
    id: &str,
    amount_ore: i64,
    key: &str,
) -> Result<Standing, Rejected> {
    let captured = state
        .store
        .change(id, Request::Capture(amount_ore), Some(key), None)
        .await?;
    let payment = state.store.get(id).await?;
    let portal = state
        .faults
        .take(subject(&payment.creation, None), |fault| match fault {
            Fault::PortalRefund(percent) => Some(percent),
            _ => None,
        });
    if let Some(percent) = portal {
        let back = share(amount_ore, percent).min(payment.left_to_refund());
        // A portal may be refused as well.
        let _ = portal_refund(state, id, back, None).await;
    }
    Ok(captured)
}

/// The merchant gives money back; at Nexi it may take time, and fail.
pub(super) async fn refund(
    state: &AppState,
    payment: &Payment,
    request: Request,
    key: &str,
) -> Result<Standing, Rejected> {
    let slow = state
        .faults
        .take(
            subject(&payment.creation, Some(Operation::Refund)),
            |fault| match fault {
                Fault::RefundTakesMs(ms) => Some(later(Duration::from_millis(ms), false)),
                Fault::RefundFailsMs(ms) => Some(later(Duration::from_millis(ms), true)),
                _ => None,
            },
        )
        .filter(|_| payment.creation.nexi.is_some());
    state
        .store
        .change(payment.creation.id(), request, Some(key), slow)
        .await
}

/// A person in the portal gives money back: at Nexi, of the newest charges.
pub(super) async fn portal_refund(
    state: &AppState,
    id: &str,
    amount_ore: i64,
    key: Option<&str>,
) -> Result<Standing, Rejected> {
    let payment = state.store.get(id).await?;
    if payment.creation.nexi.is_none() || amount_ore > payment.left_to_refund() {
        let request = Request::Refund(amount_ore);
        return state.store.change(id, request, key, None).await;
    }
    let (mut left, mut standing) = (amount_ore, payment.now);
    for (charge, most) in payment.refundable() {
        let part = left.min(most);
        if part > 0 {
            let request = Request::RefundOf(part, charge);
            standing = state.store.change(id, request, None, None).await?;
            left -= part;
        }
    }
    Ok(standing)
}

/// What happens between a create and its answer.
pub(super) async fn before_answer(state: &AppState, id: &str) -> Result<(), Rejected> {
    let payment = state.store.get(id).await?;
    let subject = subject(&payment.creation, Some(Operation::Create));
    if state.faults.applies(subject, Fault::ApproveFirst) {
        approve(state, id).await?;
    } else if !state.faults.applies(subject, Fault::WebhookFirst) {
        return Ok(());
    }
    let delivered = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        loop {
            looks.tick().await;
            let payment = state.store.get(id).await?;
            if payment.settled_webhooks == payment.history.len() {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(WEBHOOK_PATIENCE, delivered)
        .await
        .unwrap_or(Ok(()))
}

fn share(amount_ore: i64, percent: u8) -> i64 {
    (amount_ore.saturating_mul(percent.into()) / 100).max(1)
}

fn later(after: Duration, fails: bool) -> Later {
    let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
    let at = Utc::now().checked_add_signed(after);
    Later {
        at: at.unwrap_or(chrono::DateTime::<Utc>::MAX_UTC),
        fails,
    }
}
