//! Follows the log for as long as the process runs, and resumes from the checkpoint after every failure.

mod interrupted;
mod resume;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool_postgres::Pool;
use envelope::{Position, RecordedEvent};
use event_bus::{CatchUpOptions, CatchUpStatus, CatchUpSubscription, Connection, StreamConfig};
use event_store::{Lease, Log, Standing};
use service::health::Check;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::interrupted::Interrupted;
use crate::apply::{self, ApplyError};
use crate::checkpoint::Checkpoint;
use crate::projection::Projection;
use crate::{metrics, workers};

/// The least time from one transaction to the next, unless a full batch waits: each transaction costs the same, however
/// few events it has. A single event is applied at once.
const PACE: Duration = Duration::from_millis(1);
/// The most events in one transaction: a projector that is behind writes most rows once, and its indexes in bulk.
const MAX_BATCH: usize = 4_000;
/// About the most payload in one transaction, estimated from the last.
const BATCH_BYTES: usize = 8 << 20;
/// How long a leader leads without renewing. It saves work and fences nothing: the checkpoint moves only from its last value.
const LASTS: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// What a [`Follower`] needs.
pub struct Parts<P> {
    /// The projection.
    pub projection: P,
    /// The read database, as its owner: a pool of [`crate::pool`] or [`crate::async_commit_pool`].
    pub read: Pool,
    /// The URL of the read database, for the sessions of a rebuild.
    pub read_url: String,
    /// The log.
    pub log: Log,
    /// The newest announced position of the log.
    pub head_watch: watch::Receiver<Position>,
    /// JetStream.
    pub bus: Connection,
    /// The stream that carries the log.
    pub stream: StreamConfig,
    /// Names the subscription in metrics; another name for each projection of a process.
    pub subscription: &'static str,
    /// Whether the projection keeps up; fails with the reason while it does not.
    pub check: Check,
    /// Whether events come over the stream; degraded while they are read from the log instead.
    pub check_stream: Check,
}

/// Keeps the rows up to date with the log.
pub struct Follower<P>(Parts<P>);

impl<P: Projection> Follower<P> {
    /// A follower that has not begun.
    pub fn new(parts: Parts<P>) -> Self {
        Self(parts)
    }

    /// Follows the log whenever this instance leads, until shutdown, which waits for the transaction under way.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let leading = |leads: bool| {
            let value = if leads { 1.0 } else { 0.0 };
            ::metrics::gauge!(metrics::LEADING, "projection" => self.name()).set(value);
        };
        leading(false);
        let observe = |standing| match standing {
            Standing::Leads => leading(true),
            Standing::Led => leading(false),
            Standing::StandsBy => {
                tracing::info!("standing by");
                self.0
                    .check
                    .degraded("standing by: another projector follows the log");
                self.0.check_stream.degraded("not read while standing by");
            }
            Standing::Unknown(error) => self.report(&Interrupted::read(error)),
        };
        let lease = Lease::new(self.0.read.clone(), self.name(), LASTS);
        let lead = async |term: CancellationToken| self.lead(&term).await;
        lease.lead_whenever_possible(shutdown, observe, lead).await;
    }

    /// Follows the log until `shutdown`. After a failure it resumes from the checkpoint, after a pause of at most five
    /// seconds, for ever.
    async fn lead(&self, shutdown: &CancellationToken) {
        let mut pauses = pauses();
        loop {
            let mut progressed = false;
            let why = match self.follow(&mut progressed, shutdown).await {
                Ok(never) => match never {},
                Err(why) => why,
            };
            if progressed {
                pauses = self::pauses();
            }
            if matches!(why, Interrupted::Stopped) {
                return;
            }
            self.report(&why);
            let pause = pauses.next().unwrap_or(MAX_PAUSE);
            if shutdown
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    fn report(&self, why: &Interrupted) {
        let check = &self.0.check;
        match why {
            // A former leader finished its last transaction, or the rows were swapped: this is no failure.
            Interrupted::NotOwner => {
                tracing::info!(reason = %why, "following the log was interrupted");
                check.ok();
            }
            // The old rows are served meanwhile.
            Interrupted::EpochChanged | Interrupted::Rebuilding => {
                tracing::info!(reason = %why, "following the log was interrupted");
                check.degraded(why.to_string());
            }
            Interrupted::Contradicted(..) => {
                self.contradicted(1.0);
                tracing::error!(reason = %why, "the rows contradict the log");
                check.fail(why.to_string());
            }
            _ => {
                tracing::warn!(reason = %why, "following the log was interrupted");
                check.fail(why.to_string());
            }
        }
        ::metrics::counter!(metrics::INTERRUPTIONS, "projection" => self.name(), "reason" => why.label())
            .increment(1);
    }

    async fn follow(
        &self,
        progressed: &mut bool,
        shutdown: &CancellationToken,
    ) -> Result<Infallible, Interrupted> {
        let Parts {
            projection,
            read,
            check,
            ..
        } = &self.0;
        let (mut checkpoint, mut subscription) = self.subscribe(shutdown).await?;
        let mut most = MAX_BATCH;
        let mut applying: Option<Applying> = None;
        let mut next = Instant::now();
        loop {
            // While one batch is written the next one is fetched.
            let mut events = {
                let mut fetched = pin!(subscription.next_batch(most, shutdown));
                loop {
                    tokio::select! {
                        events = &mut fetched => break events,
                        applied = finished(&mut applying) => {
                            applying = None;
                            checkpoint = applied?;
                            *progressed = true;
                            check.ok();
                        }
                    }
                }
            };
            // Also at shutdown: the batch under way is finished first.
            if let Some(under_way) = applying.take() {
                checkpoint = joined(under_way.await)?;
                *progressed = true;
                check.ok();
            }
            // Events that arrived meanwhile, or arrive before the next transaction may begin, join the batch.
            if let Ok(events) = &mut events
                && events.len() < most
            {
                shutdown.run_until_cancelled(tokio::time::sleep_until(next)).await;
                events.extend(subscription.take_ready(most - events.len()));
            }
            let events = events.map_err(|error| Interrupted::subscription(error, projection.commands()))?;
            most = most_after(&events);
            next = Instant::now() + PACE;
            let (projection, read, log) = (projection.clone(), read.clone(), self.0.log.clone());
            let from = checkpoint;
            applying = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                let opened = log.open(events).await?;
                apply::apply(&projection, &read, from, &opened).await
            })));
        }
    }

    /// Resumes from the checkpoint, or after a rebuild for a new epoch of the log.
    async fn subscribe(
        &self,
        shutdown: &CancellationToken,
    ) -> Result<(Checkpoint, CatchUpSubscription<Log>), Interrupted> {
        let (checkpoint, after, head) = self.resume(shutdown).await?;
        let parts = &self.0;
        self.contradicted(0.0);
        if after.position == head {
            parts.check.ok();
        }
        tracing::info!(
            position = after.position.get(),
            head = head.get(),
            "following the log"
        );
        let options = CatchUpOptions {
            name: parts.subscription.into(),
            ..CatchUpOptions::default()
        };
        let subscription = CatchUpSubscription::new(
            parts.bus.clone(),
            &parts.stream,
            after,
            checkpoint.epoch,
            parts.log.clone(),
            parts.head_watch.clone(),
            options,
        );
        let (status, check) = (subscription.status(), parts.check_stream.clone());
        tokio::spawn(report_stream(self.name(), status, check));
        Ok((checkpoint, subscription))
    }

    fn contradicted(&self, value: f64) {
        ::metrics::gauge!(metrics::CONTRADICTED, "projection" => self.name()).set(value);
    }

    fn name(&self) -> String {
        self.0.projection.name().to_owned()
    }
}

/// A batch that is being written.
type Applying = AbortOnDropHandle<Result<Checkpoint, ApplyError>>;

/// The result of the batch that is being written; never ready without one.
async fn finished(applying: &mut Option<Applying>) -> Result<Checkpoint, ApplyError> {
    match applying {
        Some(applying) => joined(applying.await),
        None => std::future::pending().await,
    }
}

fn joined<T>(done: Result<Result<T, ApplyError>, JoinError>) -> Result<T, ApplyError> {
    // Cancelled with the runtime. Whether the batch was committed is not known: the checkpoint is read at the next start.
    workers::joined(done).unwrap_or(Err(ApplyError::NotOwner))
}

/// How many events the next transaction may have, if they are as large as these.
fn most_after(events: &[RecordedEvent]) -> usize {
    let bytes: usize = events.iter().map(|event| event.payload.get().len()).sum();
    let average = bytes / events.len().max(1);
    (BATCH_BYTES / average.max(1)).clamp(1, MAX_BATCH)
}

/// Reports whether events come over the stream, until the subscription is dropped.
async fn report_stream(projection: String, mut status: watch::Receiver<CatchUpStatus>, check: Check) {
    while status.changed().await.is_ok() {
        let problem = status.borrow_and_update().stream.clone();
        let up = if problem.is_none() { 1.0 } else { 0.0 };
        ::metrics::gauge!(metrics::STREAM_UP, "projection" => projection.clone()).set(up);
        match problem {
            Some(problem) => check.degraded(format!("reading the event database instead: {problem}")),
            None => check.ok(),
        }
    }
}

/// 100 ms, doubling to five seconds, with jitter; from the start again after every success.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(MAX_PAUSE)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
