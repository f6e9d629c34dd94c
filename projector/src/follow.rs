//! Going along the log for as long as the process runs, whatever fails on the way.

use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool_postgres::Pool;
use envelope::{LogError, LogReader, Position, RecordedEvent};
use event_bus::{Connection, Feed, FeedError, FeedOptions, FeedStatus, StreamConfig};
use read_model::{Checkpoint, checkpoint, write};
use service::health::Check;
use service::postgres::describe;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::apply::{self, ApplyError};
use crate::metrics;

/// The least time from one transaction to the next, unless there is more than one can hold: each costs the same, however
/// little is in it. What comes alone waits for nobody.
const PACE: Duration = Duration::from_millis(1);
/// The most events in one transaction: a projector that is behind writes most rows once, and its indexes in bulk.
const MAX_BATCH: usize = 4_000;
/// About the most payload in one transaction, judged by the last.
const BATCH_BYTES: usize = 8 << 20;

/// What a [`Follower`] needs.
pub struct Parts<L> {
    /// The read database, as its owner.
    pub read: Pool,
    /// The log.
    pub log: L,
    /// How far the log has come, as far as somebody heard.
    pub hint: watch::Receiver<Position>,
    /// JetStream.
    pub context: Connection,
    /// The stream that carries the log.
    pub stream: StreamConfig,
    /// Whether the projection keeps up; fails with the reason while it can't.
    pub check: Check,
    /// Whether events come over the stream; degraded while they are read from the log instead.
    pub check_stream: Check,
}

/// Keeps the rows up to date with the log.
pub struct Follower<L>(Parts<L>);

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("shutting down")]
    Stopped,
    #[error("another projector moved the checkpoint")]
    NotOwner,
    #[error("the log began a new life")]
    EpochChanged,
    #[error(
        "the log ends at {head}, before the checkpoint {checkpoint}: was it restored without a new epoch?"
    )]
    LogBehind { head: Position, checkpoint: Position },
    #[error("{0}")]
    LogBroken(FeedError),
    #[error("{0}")]
    Schema(String),
    #[error("the event database can't be read: {0}")]
    Log(LogError),
    #[error("the read database failed: {0}")]
    Read(String),
}

impl<L: LogReader + Clone> Follower<L> {
    /// A follower that has not begun.
    pub fn new(parts: Parts<L>) -> Self {
        Self(parts)
    }

    /// Follows the log until shutdown; the transaction under way then is finished first. Every failure is waited out
    /// and begun again from the checkpoint, for ever, with pauses of up to five seconds.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut pauses = pauses();
        loop {
            let mut progressed = false;
            let why = self.follow(&mut progressed, shutdown).await;
            if progressed {
                pauses = self::pauses();
            }
            match &why {
                Interrupted::Stopped => return,
                // The other one does the work: nothing is wrong.
                Interrupted::NotOwner => {
                    tracing::info!(reason = %why, "standing by");
                    self.0.check.ok();
                }
                _ => {
                    tracing::warn!(reason = %why, "following the log was interrupted");
                    self.0.check.fail(why.to_string());
                }
            }
            ::metrics::counter!(metrics::INTERRUPTIONS, "reason" => why.label()).increment(1);
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

    async fn follow(&self, progressed: &mut bool, shutdown: &CancellationToken) -> Interrupted {
        match self.try_follow(progressed, shutdown).await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn try_follow(
        &self,
        progressed: &mut bool,
        shutdown: &CancellationToken,
    ) -> Result<std::convert::Infallible, Interrupted> {
        let Parts {
            read,
            log,
            hint,
            context,
            stream,
            check,
            check_stream,
        } = &self.0;
        let (mut checkpoint, head) = self.resume().await?;
        if checkpoint.position == head.get() {
            check.ok();
        }
        let after = Position::new(checkpoint.position);
        tracing::info!(position = after.get(), head = head.get(), "following the log");
        let options = FeedOptions {
            name: "projector",
            ..FeedOptions::default()
        };
        let (context, log, hint) = (context.clone(), log.clone(), hint.clone());
        let mut feed = Feed::new(context, stream, after, checkpoint.epoch, log, hint, options);
        tokio::spawn(report_stream(feed.status(), check_stream.clone()));
        let mut most = MAX_BATCH;
        let mut applying: Option<Applying> = None;
        let mut next = Instant::now();
        loop {
            // While one batch is written the next one is fetched.
            let mut events = {
                let mut fetched = pin!(feed.next_batch(most, shutdown));
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
            // Also before leaving: what is under way is finished first.
            if let Some(under_way) = applying.take() {
                checkpoint = joined(under_way.await)?;
                *progressed = true;
                check.ok();
            }
            // And what came while it was written, or comes before the next may begin, goes along.
            if let Ok(events) = &mut events
                && events.len() < most
            {
                shutdown.run_until_cancelled(tokio::time::sleep_until(next)).await;
                events.extend(feed.take_ready(most - events.len()));
            }
            let events = events?;
            most = most_after(&events);
            next = Instant::now() + PACE;
            let (read, from) = (read.clone(), checkpoint);
            applying = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                apply::apply(&read, from, &events).await
            })));
        }
    }

    /// Where to go on, after starting over if the log began a new life.
    async fn resume(&self) -> Result<(Checkpoint, Position), Interrupted> {
        // Each time: a rebuild by another build may have put other tables in the place of those known at the start.
        read_model::check_schema(&self.0.read).await.map_err(|error| {
            if error.is_transient() {
                read_failed(error)
            } else {
                Interrupted::Schema(error.to_string())
            }
        })?;
        let begun = self.0.log.head().await.map_err(Interrupted::Log)?;
        let mut client = self.0.read.get().await.map_err(read_failed)?;
        write::start_checkpoint(&client, begun.epoch)
            .await
            .map_err(read_failed)?;
        let mut found = checkpoint::read(&**client).await.map_err(read_failed)?;
        // After the checkpoint: a head read before may be of a life that ended before the checkpoint's began, and this
        // would start over backwards.
        let head = self.0.log.head().await.map_err(Interrupted::Log)?;
        if found.epoch != head.epoch {
            tracing::warn!(position = found.position, checkpoint_epoch = %found.epoch, log_epoch = %head.epoch,
                "the log began a new life since these rows were written: forgetting them and starting over");
            let transaction = client.transaction().await.map_err(read_failed)?;
            if !write::reset(&transaction, found.epoch, head.epoch)
                .await
                .map_err(read_failed)?
            {
                return Err(Interrupted::NotOwner);
            }
            transaction.commit().await.map_err(read_failed)?;
            ::metrics::counter!(metrics::RESETS).increment(1);
            found = Checkpoint {
                position: 0,
                epoch: head.epoch,
            };
        }
        if found.position > head.position.get() {
            let checkpoint = Position::new(found.position);
            return Err(Interrupted::LogBehind {
                head: head.position,
                checkpoint,
            });
        }
        Ok((found, head.position))
    }
}

/// A batch that is being written.
type Applying = AbortOnDropHandle<Result<Checkpoint, ApplyError>>;

/// What became of the batch that is being written; never, if none is.
async fn finished(applying: &mut Option<Applying>) -> Result<Checkpoint, ApplyError> {
    match applying {
        Some(applying) => joined(applying.await),
        None => std::future::pending().await,
    }
}

/// What the task gave; a panic goes on here.
fn joined<T>(done: Result<Result<T, ApplyError>, JoinError>) -> Result<T, ApplyError> {
    match done.map_err(JoinError::try_into_panic) {
        Ok(given) => given,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Cancelled with the runtime: whether it was committed is not known, and is asked when it begins anew.
        Err(Err(_)) => Err(ApplyError::NotOwner),
    }
}

/// How many events the next transaction may have, when they are as large as these.
fn most_after(events: &[RecordedEvent]) -> usize {
    let bytes: usize = events.iter().map(|event| event.payload.get().len()).sum();
    let average = bytes / events.len().max(1);
    (BATCH_BYTES / average.max(1)).clamp(1, MAX_BATCH)
}

/// Says whether events come over the stream, until the feed is dropped.
async fn report_stream(mut status: watch::Receiver<FeedStatus>, check: Check) {
    while status.changed().await.is_ok() {
        let problem = status.borrow_and_update().stream.clone();
        ::metrics::gauge!(metrics::STREAM_UP).set(if problem.is_none() { 1.0 } else { 0.0 });
        match problem {
            Some(problem) => check.degraded(format!("reading the event database instead: {problem}")),
            None => check.ok(),
        }
    }
}

impl Interrupted {
    fn label(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::NotOwner => "not_owner",
            Self::EpochChanged => "epoch_changed",
            Self::LogBehind { .. } => "log_behind",
            Self::LogBroken(_) => "log_broken",
            Self::Schema(_) => "schema",
            Self::Log(_) => "log",
            Self::Read(_) => "read",
        }
    }
}

impl From<FeedError> for Interrupted {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Stopped => Self::Stopped,
            FeedError::EpochChanged { .. } => Self::EpochChanged,
            FeedError::LogBroken { .. } => Self::LogBroken(error),
        }
    }
}

impl From<ApplyError> for Interrupted {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::NotOwner => Self::NotOwner,
            ApplyError::Pool(error) => read_failed(error),
            ApplyError::Database(error) => read_failed(error),
        }
    }
}

fn read_failed(error: impl std::error::Error + 'static) -> Interrupted {
    Interrupted::Read(describe(&error))
}

const MAX_PAUSE: Duration = Duration::from_secs(5);

/// 100 ms, doubling to five seconds, with jitter; begun anew after every success.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(MAX_PAUSE)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
