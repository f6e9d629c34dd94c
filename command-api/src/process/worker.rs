//! Does what is due: claims tasks, a bounded number at a time, and puts off what fails.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use event_store::Task;
use metrics::{gauge, histogram};
use service::request_id::{self, RequestId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::step::{Outcome, StepError};
use super::{CAPTURE, FULFILL, REFUND, SETTLE, Shop, capture, fulfill, refund, settle};
use crate::metrics::{PROCESS_OVERDUE_SECONDS, PROCESS_TASK_SECONDS, PROCESS_TASKS};

/// Tasks that one worker has under way.
const AT_ONCE: usize = 16;
/// How often a worker looks when nobody told it that something was planned.
const POLL: Duration = Duration::from_millis(250);
/// How long a task is held; after that, whoever held it is presumed dead.
const LEASE: Duration = Duration::from_mins(1);
/// How long an attempt may take: well within the lease.
const ATTEMPT: Duration = Duration::from_secs(45);
/// How often the backlog is measured.
const OBSERVE: Duration = Duration::from_secs(5);
/// Attempts after which a failure is an error for people to look at, and no longer a passing one.
const PATIENCE: u32 = 6;

/// Works on `kinds` until `shutdown`; what is under way is finished.
pub(crate) async fn work(shop: Shop, kinds: &'static [&'static str], shutdown: CancellationToken) {
    let mut running = JoinSet::new();
    loop {
        let planned = shop.planned.notified();
        while running.try_join_next().is_some() {}
        if shutdown.is_cancelled() {
            break;
        }
        match shop.tasks.claim(kinds, AT_ONCE - running.len(), LEASE).await {
            Ok(tasks) => {
                for task in tasks {
                    let shop = shop.clone();
                    running.spawn(async move { in_its_request(&shop, task).await });
                }
            }
            Err(error) => tracing::warn!(error = %error, "tasks could not be claimed"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = planned => {}
            Some(_) = running.join_next() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Publishes how much is waiting, until `shutdown`.
pub(crate) async fn observe(shop: Shop, shutdown: CancellationToken) {
    loop {
        if let Ok(backlog) = shop.tasks.backlog().await {
            for kind in [FULFILL, SETTLE, CAPTURE, REFUND] {
                let of_kind = backlog.iter().find(|backlog| backlog.kind == kind);
                let waiting = of_kind.map_or(0, |backlog| u32::try_from(backlog.waiting).unwrap_or(u32::MAX));
                gauge!(PROCESS_TASKS, "kind" => kind).set(f64::from(waiting));
                let overdue = of_kind.map_or(0.0, |backlog| backlog.overdue_seconds);
                gauge!(PROCESS_OVERDUE_SECONDS, "kind" => kind).set(overdue);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(OBSERVE) => {}
        }
    }
}

/// Works on a task as part of the request that led to it, so that its log lines carry that request's id.
async fn in_its_request(shop: &Shop, task: Task) {
    let id = task
        .request_id
        .as_deref()
        .and_then(RequestId::parse)
        .unwrap_or_default();
    request_id::scope(id, attempt(shop, task)).await;
}

async fn attempt(shop: &Shop, task: Task) {
    let started = Instant::now();
    let outcome = tokio::time::timeout(ATTEMPT, perform(shop, &task)).await;
    let (label, settled) = match outcome {
        Ok(Ok(Outcome::Done)) => ("done", shop.tasks.finish(&task).await),
        Ok(Ok(Outcome::Later(due_at))) => ("later", shop.tasks.postpone(&task, due_at, None).await),
        Ok(Err(error)) => ("failed", put_off(shop, &task, &error.to_string()).await),
        Err(_) => ("failed", put_off(shop, &task, "took too long").await),
    };
    if let Err(error) = settled {
        // Its lease ends by itself, and it is done again: that is safe.
        tracing::warn!(kind = task.kind, error = %error, "a task's outcome could not be noted");
    }
    let kind = [FULFILL, SETTLE, CAPTURE, REFUND]
        .into_iter()
        .find(|kind| *kind == task.kind)
        .unwrap_or("other");
    histogram!(PROCESS_TASK_SECONDS, "kind" => kind, "outcome" => label).record(started.elapsed());
}

async fn perform(shop: &Shop, task: &Task) -> Result<Outcome, StepError> {
    match task.kind.as_str() {
        FULFILL => fulfill::fulfill(shop, task).await,
        SETTLE => settle::settle(shop, task).await,
        CAPTURE => capture::capture(shop, task).await,
        REFUND => refund::refund(shop, task).await,
        // Only kinds asked for are claimed; one that this build does not know is left for one that does.
        _ => Ok(Outcome::Later(Utc::now() + TimeDelta::minutes(1))),
    }
}

/// Half a second, doubled with every failure, a minute at most. It is never given up: there is money in it.
async fn put_off(shop: &Shop, task: &Task, error: &str) -> Result<(), event_store::Error> {
    let order_id = task.aggregate_id;
    if task.attempts >= PATIENCE {
        tracing::error!(%order_id, kind = task.kind, attempts = task.attempts, error, "a task fails again and again");
    } else {
        tracing::warn!(%order_id, kind = task.kind, attempts = task.attempts, error, "a task failed and goes again");
    }
    let pause = TimeDelta::milliseconds(250 * (1_i64 << task.attempts.min(8))).min(TimeDelta::minutes(1));
    shop.tasks.postpone(task, Utc::now() + pause, Some(error)).await
}
