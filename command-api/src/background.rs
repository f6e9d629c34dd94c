//! What runs without a request, and how it ends.

use std::time::Duration;

use anyhow::Context as _;
use deadpool_postgres::Pool;
use envelope::Position;
use event_bus::{Publisher, PublisherOptions};
use event_store::seal::{Sealer, SealerOptions};
use event_store::{Inbox, Lease, Log};
use futures_util::future::OptionFuture;
use service::health::Check;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bulkheads::Bulkheads;
use crate::process::context::ProcessContext;
use crate::process::lanes::Lane;
use crate::process::{lanes, planner, sweep, worker};
use crate::router::webhooks;
use crate::{leader, receipts, relay};

/// How long a read of the log's head may take before this instance gets no more traffic.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// Pause after the schedule of the comparison could not be read.
const SCHEDULE_AGAIN: Duration = Duration::from_secs(1);

/// What is done without a request, by every instance.
pub(crate) fn spawn_workers(
    background: &TaskTracker,
    context: &ProcessContext,
    lanes: Vec<Lane>,
    inbox: Inbox,
    check: Check,
    shutdown: &CancellationToken,
) {
    for lane in lanes {
        background.spawn(worker::work(context.clone(), lane, shutdown.clone()));
    }
    background.spawn(worker::observe(context.clone(), check, shutdown.clone()));
    background.spawn(webhooks::forget_old(inbox, shutdown.clone()));
}

/// Relay, planner and sealer, whenever this instance leads.
pub(crate) fn lead(
    head_watch: watch::Receiver<Position>,
    bulkheads: Bulkheads,
    context: ProcessContext,
    bus: relay::Bus,
    seal: Option<SealerOptions>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let Bulkheads { lease, leading, .. } = bulkheads;
    let log = Log::new(leading.clone());
    let lease = Lease::new(lease, leader::NAME, leader::LASTS);
    async move {
        Box::pin(leader::lead_whenever_possible(lease, shutdown, |term| {
            let (connection, stream) = (&bus.connection, &bus.stream);
            let publisher = Publisher::new(connection.clone(), stream.clone(), PublisherOptions::default());
            let relay = relay::run(
                publisher,
                log.clone(),
                head_watch.clone(),
                &bus.problem,
                term.clone(),
            );
            let plan = planner::plan(
                context.clone(),
                log.clone(),
                connection.clone(),
                stream.clone(),
                head_watch.clone(),
                term.clone(),
            );
            let receipts = receipts::issue(
                context.cashier.command_handler.clone(),
                head_watch.clone(),
                term.clone(),
            );
            let seal = seal
                .clone()
                .map(|options| Sealer::new(leading.clone(), options).run(term.clone()));
            let reconcile = reconcile(context.clone(), term.clone());
            async move {
                tokio::join!(relay, plan, receipts, reconcile, OptionFuture::from(seal));
            }
        }))
        .await;
    }
}

/// Compares orders with their payments on a schedule, until `term` ends.
async fn reconcile(context: ProcessContext, term: CancellationToken) {
    while let Err(error) = sweep::schedule(&context.reconciliation, &context.cashier).await {
        tracing::warn!(error = %error, "the comparison with the providers could not be scheduled");
        tokio::select! {
            () = term.cancelled() => return,
            () = tokio::time::sleep(SCHEDULE_AGAIN) => {}
        }
    }
    let tasks = context.reconciliation.tasks.clone();
    worker::work(ProcessContext { tasks, ..context }, lanes::reconciliation(), term).await;
}

/// Keeps the readiness check in step with the database, also with one that keeps its connections open and does not answer.
pub(crate) async fn watch_database(pool: Pool, check: Check, shutdown: CancellationToken) {
    let log = Log::new(pool);
    loop {
        match tokio::time::timeout(DATABASE_PATIENCE, log.head()).await {
            Ok(Ok(_)) => check.ok(),
            _ => check.fail("the event database does not answer"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Requests are answered; what workers have under way ends with the last of them, and then the last batch.
pub(crate) async fn end(
    background: &TaskTracker,
    writing: JoinHandle<()>,
    at: Instant,
) -> anyhow::Result<()> {
    let ended = async {
        background.wait().await;
        writing.await
    };
    if let Ok(written) = tokio::time::timeout_at(at, ended).await {
        written.context("the writing task")?;
        tracing::info!("stopped");
    } else {
        // Nothing is lost: the next worker to claim a task that was begun does it again.
        tracing::warn!("stopped before everything under way was finished");
    }
    Ok(())
}
