//! Reads a captured payment again later, for money that moved outside the shop without a webhook.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Order;
use event_store::Task;
use vocabulary::{OrderStatus, RefundState};

use super::context::ProcessContext;
use super::reconcile::recorded_at;
use super::step::{self, Outcome, StepError};

/// Looks end this long after the capture. Later changes arrive by webhook only.
const LAST_LOOK: TimeDelta = TimeDelta::days(30);

/// Compares the order with the provider's books, and again eight times as long after the capture.
pub(super) async fn recheck(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let cashier = &context.cashier;
    let order = cashier
        .command_handler
        .load::<Order>(task.aggregate_id)
        .await?
        .aggregate;
    let kept = matches!(
        order.status(),
        Some(OrderStatus::Fulfilled | OrderStatus::CaptureFailed)
    );
    // A refund that the shop gave up may be done in the portal.
    if !kept && order.refund_state() != Some(RefundState::Failed) {
        return Ok(Outcome::Done);
    }
    cashier
        .ask_and_apply(task.aggregate_id, step::metadata(task))
        .await?;
    let now = Utc::now();
    let since = recorded_at(&cashier.command_handler, task, now).await?;
    Ok(next_look(since, now).map_or(Outcome::Done, Outcome::Later))
}

fn next_look(since: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let waited = (now - since).max(TimeDelta::seconds(1)) * 8;
    (waited <= LAST_LOOK).then(|| since + waited)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::next_look;

    #[test]
    fn looks_come_less_and_less_often_and_end() {
        let since = Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap();
        let (mut looks, mut now) = (0, since + TimeDelta::hours(1));
        while let Some(next) = next_look(since, now) {
            assert!(next >= now + TimeDelta::hours(7));
            (looks, now) = (looks + 1, next);
        }
        assert_eq!(looks, 3);
        assert!(next_look(since, since).is_some_and(|next| next > since));
    }
}
