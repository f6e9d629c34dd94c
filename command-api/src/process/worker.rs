//! Does what is due: claims tasks, a bounded number at a time, and puts off what fails.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Task;
use metrics::{gauge, histogram};
use service::health::Check;
use service::request_id::{self, RequestId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::context::ProcessContext;
use super::kinds::{
    self, BATCH, CAPTURE, ERASE, FULFILL, KINDS, LETTER, RECHECK, RECONCILE, REFUND, RESOLVE, REVOKE, SWEEP,
    UNMATCHED,
};
use super::lanes::{LEASE, Lane, RENEW};
use super::step::{Outcome, StepError};
use super::{capture, erase, fulfill, letter, recheck, reconcile, refund, resolve, revoke, sweep};
use crate::batches::run;
use crate::metrics::{
    LETTERS_OLDEST_WAITING_SECONDS, PROCESS_OVERDUE_SECONDS, PROCESS_TASK_SECONDS, PROCESS_TASKS,
    RECONCILE_OVERDUE_SECONDS, UNMATCHED_PAYMENTS,
};

/// How often a worker looks for tasks without a notification.
const POLL: Duration = Duration::from_millis(250);
/// How often the backlog is measured.
const OBSERVE: Duration = Duration::from_secs(5);
/// Attempts after which a failure is an error for people to look at, and no longer a passing one.
const PATIENCE: u32 = 6;

/// Works on a lane until `shutdown`; what is under way is finished.
pub(crate) async fn work(context: ProcessContext, lane: Lane, shutdown: CancellationToken) {
    let mut running = JoinSet::new();
    let kinds: Vec<&str> = lane.kinds.iter().map(|kind| &**kind).collect();
    let waking = context.planned.waking(&lane);
    loop {
        while running.try_join_next().is_some() {}
        if shutdown.is_cancelled() {
            break;
        }
        let room = lane.at_once - running.len();
        let claimed = match room {
            0 => Ok(Vec::new()),
            _ => context.tasks.claim(&kinds, room, LEASE).await,
        };
        match claimed {
            Ok(tasks) => {
                for task in tasks {
                    let context = context.clone();
                    running
                        .spawn(async move { Box::pin(in_its_request(&context, task, lane.attempt)).await });
                }
            }
            Err(error) => tracing::warn!(error = %error, "tasks could not be claimed"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = waking.notified() => {}
            Some(_) = running.join_next() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Publishes how much is waiting, until `shutdown`.
pub(crate) async fn observe(context: ProcessContext, check: Check, shutdown: CancellationToken) {
    loop {
        // Never fails for that: customers can order and pay, and what is not planned is planned later.
        match context.planner_problem.borrow().clone() {
            Some(problem) => check.degraded(problem),
            None => check.ok(),
        }
        if let Ok(backlog) = context.tasks.backlog().await {
            for kind in KINDS {
                let of_kind = || {
                    backlog
                        .iter()
                        .filter(|backlog| kinds::general(&backlog.kind) == kind)
                };
                let waiting: u64 = of_kind().map(|backlog| backlog.waiting).sum();
                let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
                gauge!(PROCESS_TASKS, "kind" => kind).set(f64::from(waiting));
                let overdue = of_kind()
                    .map(|backlog| backlog.overdue_seconds)
                    .fold(0.0, f64::max);
                gauge!(PROCESS_OVERDUE_SECONDS, "kind" => kind).set(overdue);
            }
            let oldest = backlog.iter().find(|backlog| backlog.kind == LETTER);
            if let Ok(age) = letter::age(&context, oldest.map(|backlog| backlog.oldest)).await {
                gauge!(LETTERS_OLDEST_WAITING_SECONDS).set(age);
            }
        }
        if let Ok(backlog) = context.reconciliation.tasks.backlog().await {
            let of_kind = |kind| backlog.iter().find(|backlog| backlog.kind == kind);
            let waiting = of_kind(UNMATCHED).map_or(0, |backlog| backlog.waiting);
            gauge!(UNMATCHED_PAYMENTS).set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
            let overdue = of_kind(SWEEP).map_or(0.0, |backlog| backlog.overdue_seconds);
            gauge!(RECONCILE_OVERDUE_SECONDS).set(overdue);
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(OBSERVE) => {}
        }
    }
}

/// Works on a task as part of the request that led to it, so that its log lines carry that request's id, and that of
/// the one that began the conversation.
async fn in_its_request(context: &ProcessContext, task: Task, limit: Duration) {
    let id = task
        .request_id
        .as_deref()
        .and_then(RequestId::parse)
        .unwrap_or_default();
    let span = tracing::error_span!("task", correlation_id = task.correlation_id);
    request_id::scope(id, Box::pin(attempt(context, task, limit)).instrument(span)).await;
}

async fn attempt(context: &ProcessContext, task: Task, limit: Duration) {
    let started = Instant::now();
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(limit, perform(context, &task)) => outcome,
        never = hold(context, &task) => match never {},
    };
    let (label, again) = match outcome {
        Ok(Ok(Outcome::Done)) => ("done", None),
        Ok(Ok(Outcome::Later(due_at))) => ("later", Some((due_at, None))),
        Ok(Ok(Outcome::Again(due_at, error))) => ("later", Some((due_at, Some(error)))),
        Ok(Err(error)) => ("failed", Some(put_off(&task, error.to_string()))),
        Err(_) => ("failed", Some(put_off(&task, "took too long".into()))),
    };
    let note = async || match &again {
        None => context.tasks.finish(&task).await,
        Some((due_at, error)) => context.tasks.postpone(&task, *due_at, error.as_deref()).await,
    };
    // A database that is back after a moment must not leave the task to the end of its lease.
    if let Err(error) = note.retry(patience()).await {
        // Its lease ends by itself, and it is done again: that is safe.
        tracing::warn!(kind = task.kind, error = %error, "a task's outcome could not be noted");
    }
    let kind = KINDS
        .into_iter()
        .chain([SWEEP, UNMATCHED])
        .find(|kind| *kind == kinds::general(&task.kind))
        .unwrap_or("other");
    histogram!(PROCESS_TASK_SECONDS, "kind" => kind, "outcome" => label).record(started.elapsed());
}

/// Renews the task's lease until the future is dropped.
async fn hold(context: &ProcessContext, task: &Task) -> Infallible {
    loop {
        tokio::time::sleep(RENEW).await;
        // A failed renewal leaves time for two more. A task that another worker begins meanwhile is safe to repeat.
        if let Err(error) = context.tasks.renew(task, LEASE).await {
            tracing::warn!(kind = task.kind, error = %error, "a task's lease could not be renewed");
        }
    }
}

async fn perform(context: &ProcessContext, task: &Task) -> Result<Outcome, StepError> {
    match kinds::general(&task.kind) {
        ERASE => Box::pin(erase::erase(context, task)).await,
        BATCH => Box::pin(run::run(context, task)).await,
        FULFILL => fulfill::fulfill(context, task).await,
        RECONCILE => reconcile::reconcile(context, task).await,
        CAPTURE => capture::capture(context, task).await,
        REFUND => refund::refund(context, task).await,
        REVOKE => revoke::revoke(context, task).await,
        LETTER => Box::pin(letter::send(context, task)).await,
        RECHECK => recheck::recheck(context, task).await,
        SWEEP => sweep::sweep(context, task).await,
        UNMATCHED => sweep::look_again(context, task).await,
        RESOLVE => resolve::await_resolution(context, task).await,
        // Only the lane's kinds are claimed. A kind unknown to this build waits for a newer build.
        _ => Ok(Outcome::Later(Utc::now() + TimeDelta::minutes(1))),
    }
}

/// Half a second, doubled with every failure, a minute at most, and of that a half to the whole at random: what failed at
/// once does not come back at once. It is never given up: there is money in it.
fn put_off(task: &Task, error: String) -> (DateTime<Utc>, Option<String>) {
    let order_id = task.aggregate_id;
    if task.attempts >= PATIENCE {
        tracing::error!(%order_id, kind = task.kind, attempts = task.attempts, error, "a task fails again and again");
    } else {
        tracing::warn!(%order_id, kind = task.kind, attempts = task.attempts, error, "a task failed and goes again");
    }
    (Utc::now() + pause(task.attempts, fastrand::f64()), Some(error))
}

/// `dice` is in 0 to 1.
fn pause(attempts: u32, dice: f64) -> TimeDelta {
    let whole = Duration::from_millis(250 << attempts.min(8)).min(Duration::from_mins(1));
    TimeDelta::from_std(whole.mul_f64(0.5 + dice / 2.0)).unwrap_or(TimeDelta::minutes(1))
}

/// About five seconds, less than what is left of the lease.
fn patience() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(8)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::pause;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_spread_over_their_second_half() {
        let milliseconds = |attempts, dice| pause(attempts, dice).num_milliseconds();
        assert_eq!([milliseconds(1, 0.0), milliseconds(1, 1.0)], [250, 500]);
        assert_eq!([milliseconds(4, 0.0), milliseconds(4, 1.0)], [2000, 4000]);
        for attempts in [8, 9, 64, u32::MAX] {
            assert_eq!(pause(attempts, 1.0), TimeDelta::minutes(1));
            assert_eq!(pause(attempts, 0.0), TimeDelta::seconds(30));
        }
    }
}
