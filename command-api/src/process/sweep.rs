//! Compares orders with their payments on a schedule: every order that is not settled, and every payment of the last days.
//!
//! A round reads the log from its beginning, in slices, and its checkpoint is in the log's database: a new leader continues
//! where the last one ended. An order that still differs gets a task of its own, which looks again until it agrees; these
//! tasks are what the unmatched count counts. Neither provider lists its payments, so payments without an order are not
//! looked for here: a webhook that names one counts as `foreign`, or ends it as `stray`.

use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use envelope::{Mark, Position, RecordedEvent};
use event_store::{NewTask, Reached, Task};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use metrics::counter;
use uuid::Uuid;

use super::compare::Verdict;
use super::context::{Cashier, ProcessContext, Reconciliation};
use super::kinds::{SWEEP, UNMATCHED};
use super::step::{self, Outcome, StepError};
use crate::metrics::RECONCILED_TOTAL;

/// Payments of orders that were placed within this time are read, whatever became of the orders.
pub(crate) const PAYMENTS_OF: TimeDelta = TimeDelta::days(40);
/// How many orders are compared at once.
const AT_ONCE: usize = 4;
/// How long one slice of a round takes.
const SLICE: Duration = Duration::from_secs(20);
/// Pause between slices.
const BETWEEN: TimeDelta = TimeDelta::seconds(1);
/// How long after a start the first round begins, at most.
const FIRST: TimeDelta = TimeDelta::minutes(1);
/// When an order that differs is looked at again.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// The events that begin an order.
pub(crate) const BEGINNINGS: &[&str] = &["OrderPlaced"];

/// Makes sure that there is a next round.
pub(crate) async fn schedule(
    Reconciliation { tasks, every }: &Reconciliation,
    cashier: &Cashier,
) -> Result<(), event_store::Error> {
    if tasks.backlog().await?.iter().any(|backlog| backlog.kind == SWEEP) {
        return Ok(());
    }
    let found = tasks.reached().await?;
    let epoch = Some(cashier.command_handler.log().head().await?.epoch);
    let round = task(
        Uuid::nil(),
        SWEEP,
        Utc::now() + FIRST.min(*every),
        found.mark.position,
    );
    let now = Reached {
        mark: found.mark,
        epoch,
    };
    tasks.plan(found.mark.position, now, vec![round]).await.map(drop)
}

fn task(aggregate_id: Uuid, kind: &'static str, due_at: DateTime<Utc>, position: Position) -> NewTask {
    NewTask {
        aggregate_id,
        kind: kind.into(),
        due_at,
        position,
        request_id: None,
        correlation_id: None,
    }
}

/// A slice of a round.
pub(super) async fn sweep(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let (tasks, log) = (&context.tasks, context.cashier.command_handler.log());
    let (found, epoch) = (tasks.reached().await?, log.head().await?.epoch);
    if found.epoch != Some(epoch) {
        // The log was restored: the round begins again.
        tasks.start_over(found, epoch).await?;
        return Ok(Outcome::Later(Utc::now() + BETWEEN));
    }
    let (begun, mut reached, mut unmatched) = (Instant::now(), found.mark, Vec::new());
    let mut orders = pin!(log.events_of_types(BEGINNINGS, found.mark.position));
    let mut more = true;
    while more && begun.elapsed() < SLICE {
        let mut some = Vec::with_capacity(AT_ONCE);
        while some.len() < AT_ONCE && more {
            match orders.try_next().await? {
                Some(placed) => some.push(placed),
                None => more = false,
            }
        }
        let compared = join_all(some.iter().map(|placed| compare(context, placed, task))).await;
        let differing = some.iter().zip(compared).filter(|(_, differs)| *differs);
        unmatched.extend(differing.map(|(placed, _)| {
            self::task(
                placed.aggregate_id,
                UNMATCHED,
                Utc::now() + AGAIN,
                placed.position,
            )
        }));
        reached = some.last().map_or(reached, Mark::of);
    }
    let now = Reached {
        mark: reached,
        epoch: Some(epoch),
    };
    if !tasks.plan(found.mark.position, now, unmatched).await? {
        return Ok(Outcome::Later(Utc::now() + BETWEEN));
    }
    if more {
        return Ok(Outcome::Later(Utc::now() + BETWEEN));
    }
    tasks.start_over(now, epoch).await?;
    tracing::info!("all orders were compared with their payments");
    Ok(Outcome::Later(Utc::now() + context.reconciliation.every))
}

/// Whether the order still differs from its payment. One that can't be compared now is compared in the next round.
async fn compare(context: &ProcessContext, placed: &RecordedEvent, task: &Task) -> bool {
    let (order_id, all) = (placed.aggregate_id, is_recent(placed, Utc::now()));
    let compared = context.cashier.compare(order_id, all, step::metadata(task)).await;
    count(&compared);
    match compared {
        Ok(Verdict::Differs(difference)) => {
            let difference = difference.as_str();
            tracing::error!(%order_id, difference, "an order differs from its payment");
            true
        }
        Ok(Verdict::Healed(difference)) => {
            let difference = difference.as_str();
            tracing::warn!(%order_id, difference, "an order differed from its payment, and was healed");
            false
        }
        Ok(Verdict::Agrees | Verdict::Settled) => false,
        Err(error) => {
            tracing::warn!(%order_id, error = %error, "an order could not be compared with its payment");
            false
        }
    }
}

/// Whether the payment of the order is read whatever became of the order.
pub(crate) fn is_recent(placed: &RecordedEvent, now: DateTime<Utc>) -> bool {
    now - placed.recorded_at < PAYMENTS_OF
}

/// An order that differed is looked at again, until it agrees.
pub(super) async fn look_again(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    let compared = context
        .cashier
        .compare(task.aggregate_id, true, step::metadata(task))
        .await;
    count(&compared);
    match compared? {
        Verdict::Differs(_) => Ok(Outcome::Later(Utc::now() + AGAIN)),
        Verdict::Settled | Verdict::Agrees | Verdict::Healed(_) => Ok(Outcome::Done),
    }
}

fn count(compared: &Result<Verdict, StepError>) {
    let outcome = match compared {
        Ok(Verdict::Settled) => return,
        Ok(Verdict::Agrees) => "agrees",
        Ok(Verdict::Healed(_)) => "healed",
        Ok(Verdict::Differs(_)) => "differs",
        Err(_) => "unanswered",
    };
    counter!(RECONCILED_TOTAL, "outcome" => outcome).increment(1);
}
