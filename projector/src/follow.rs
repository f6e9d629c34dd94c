//! Going along the log for as long as the process runs, whatever fails on the way.

use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use deadpool_postgres::Pool;
use envelope::{Contradiction, Mark, Position, RecordedEvent};
use event_bus::{CatchUpError, CatchUpOptions, CatchUpStatus, CatchUpSubscription, Connection, StreamConfig};
use event_store::Log;
use read_model::checkpoint::CheckpointState;
use read_model::{Checkpoint, checkpoint, write};
use service::health::Check;
use service::postgres::describe;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::apply::{self, ApplyError};
use crate::{mark, metrics, rebuild};

/// The least time from one transaction to the next, unless there is more than one can hold: each costs the same, however
/// little is in it. What comes alone waits for nobody.
const PACE: Duration = Duration::from_millis(1);
/// The most events in one transaction: a projector that is behind writes most rows once, and its indexes in bulk.
const MAX_BATCH: usize = 4_000;
/// About the most payload in one transaction, judged by the last.
const BATCH_BYTES: usize = 8 << 20;

/// What a [`Follower`] needs.
pub struct Parts {
    /// The read database, as its owner.
    pub read: Pool,
    /// Where that is, for sessions that build rows beside the live ones.
    pub read_url: String,
    /// The log.
    pub log: Log,
    /// How far the log has come, as far as somebody heard.
    pub head_watch: watch::Receiver<Position>,
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
pub struct Follower(Parts);

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("shutting down")]
    Stopped,
    #[error("another projector moved the checkpoint")]
    NotOwner,
    #[error("the log began a new life")]
    EpochChanged,
    #[error("{0}; nothing is applied until `command-api log new-epoch` is run")]
    Contradicted(Contradiction),
    #[error("another rebuild is under way, and the rows of the log's new life have to wait for it")]
    Rebuilding,
    #[error("the rows of the log's new life could not be built: {0}")]
    Rebuild(String),
    #[error("{0}")]
    LogBroken(CatchUpError),
    #[error("{0}")]
    Schema(String),
    #[error("the event database can't be read: {0}")]
    Log(event_store::Error),
    #[error("the read database failed: {0}")]
    Read(String),
}

impl Follower {
    /// A follower that has not begun.
    pub fn new(parts: Parts) -> Self {
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
                // The old rows are answered meanwhile.
                Interrupted::EpochChanged | Interrupted::Rebuilding => {
                    tracing::info!(reason = %why, "following the log was interrupted");
                    self.0.check.degraded(why.to_string());
                }
                Interrupted::Contradicted(_) => {
                    ::metrics::gauge!(metrics::CONTRADICTED).set(1.0);
                    tracing::error!(reason = %why, "the rows contradict the log");
                    self.0.check.fail(why.to_string());
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
            head_watch,
            context,
            stream,
            check,
            check_stream,
            ..
        } = &self.0;
        let (mut checkpoint, after, head) = self.resume(shutdown).await?;
        ::metrics::gauge!(metrics::CONTRADICTED).set(0.0);
        if after.position == head {
            check.ok();
        }
        tracing::info!(
            position = after.position.get(),
            head = head.get(),
            "following the log"
        );
        let options = CatchUpOptions {
            name: "projector",
            ..CatchUpOptions::default()
        };
        let (context, log, head_watch) = (context.clone(), log.clone(), head_watch.clone());
        let mut feed =
            CatchUpSubscription::new(context, stream, after, checkpoint.epoch, log, head_watch, options);
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

    /// Where to go on, and where the log ends. Before that the rows are built again if the log began a new life.
    async fn resume(
        &self,
        shutdown: &CancellationToken,
    ) -> Result<(Checkpoint, Mark, Position), Interrupted> {
        let Parts { read, log, .. } = &self.0;
        loop {
            // Each time: a rebuild by another build may have put other tables in the place of those known at the start.
            read_model::check_schema(read).await.map_err(|error| {
                if error.is_transient() {
                    read_failed(error)
                } else {
                    Interrupted::Schema(error.to_string())
                }
            })?;
            let begun = log.head().await.map_err(Interrupted::Log)?;
            let client = read.get().await.map_err(read_failed)?;
            write::start_checkpoint(&client, begun.epoch)
                .await
                .map_err(read_failed)?;
            let found = checkpoint::read_state(&**client).await.map_err(read_failed)?;
            drop(client);
            // After the checkpoint: a head read before may be of a life that ended before the checkpoint's began, and
            // this would start over backwards.
            let (page, proof) = mark::look(log, mark::of(&found))
                .await
                .map_err(Interrupted::Log)?;
            if found.checkpoint.epoch == page.head.epoch {
                let mark = self.judge(&found, proof).await?;
                return Ok((found.checkpoint, mark, page.head.position));
            }
            self.renew(&found, page.head.epoch, shutdown).await?;
        }
    }

    /// Whether the rows can go on from where they stand in this life of the log. Says of them whether they are stale.
    async fn judge(
        &self,
        found: &CheckpointState,
        proof: Result<(), Contradiction>,
    ) -> Result<Mark, Interrupted> {
        let Checkpoint { position, epoch } = found.checkpoint;
        let at = Position::new(position);
        let client = self.0.read.get().await.map_err(read_failed)?;
        write::mark_stale(&client, at.to_sql(), epoch, proof.is_err())
            .await
            .map_err(read_failed)?;
        proof.map_err(Interrupted::Contradicted)?;
        let known = mark::of(found);
        if known.fingerprint.is_some() || at == Position::START {
            return Ok(known);
        }
        // Left by a build that kept no fingerprint: from here on a log that loses this event is noticed.
        let noted = mark::at(&self.0.log, at).await.map_err(Interrupted::Log)?;
        if let Some(fingerprint) = &noted.fingerprint {
            write::note_fingerprint(&client, at.to_sql(), epoch, fingerprint.bytes())
                .await
                .map_err(read_failed)?;
            tracing::info!(position, %fingerprint, "noted which event the checkpoint is at");
        }
        Ok(noted)
    }

    /// Builds the rows again for the life that the log has begun, while the old ones are read and marked as stale.
    async fn renew(
        &self,
        found: &CheckpointState,
        epoch: Uuid,
        shutdown: &CancellationToken,
    ) -> Result<(), Interrupted> {
        let Parts {
            read,
            read_url,
            log,
            check,
            ..
        } = &self.0;
        let old = found.checkpoint;
        let client = read.get().await.map_err(read_failed)?;
        if old.position == 0 {
            write::adopt_epoch(&client, old.epoch, epoch)
                .await
                .map_err(read_failed)?;
            return Ok(());
        }
        write::mark_stale(&client, Position::new(old.position).to_sql(), old.epoch, true)
            .await
            .map_err(read_failed)?;
        drop(client);
        tracing::warn!(position = old.position, checkpoint_epoch = %old.epoch, log_epoch = %epoch,
            "the log began a new life: building the rows again beside those of the life before");
        check.degraded(
            "the log began a new life: the rows are built again, and those of the life before are answered as stale",
        );
        let renewed = rebuild::renew(read_url, log, shutdown).await;
        if shutdown.is_cancelled() {
            return Err(Interrupted::Stopped);
        }
        if !renewed.map_err(Interrupted::Rebuild)? {
            return Err(Interrupted::Rebuilding);
        }
        ::metrics::counter!(metrics::RESETS).increment(1);
        tracing::info!(log_epoch = %epoch, "the rows of the log's new life are live");
        Ok(())
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
async fn report_stream(mut status: watch::Receiver<CatchUpStatus>, check: Check) {
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
            Self::Contradicted(_) => "contradicted",
            Self::Rebuilding => "rebuilding",
            Self::Rebuild(_) => "rebuild",
            Self::LogBroken(_) => "log_broken",
            Self::Schema(_) => "schema",
            Self::Log(_) => "log",
            Self::Read(_) => "read",
        }
    }
}

impl From<CatchUpError> for Interrupted {
    fn from(error: CatchUpError) -> Self {
        match error {
            CatchUpError::Stopped => Self::Stopped,
            CatchUpError::EpochChanged { .. } => Self::EpochChanged,
            CatchUpError::Contradicted(contradiction) => Self::Contradicted(contradiction),
            CatchUpError::LogBroken { .. } => Self::LogBroken(error),
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
