//! The log to the bus: reads what the stream does not have yet, in order, and publishes it.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::Utc;
use envelope::{LogPage, Position, RecordedEvent};
use event_bus::{Connection, PublishError, Publisher, ResumeError, StreamConfig, TailError};
use event_store::Log;
use metrics::{counter, gauge};
use service::health::Check;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::{
    RELAY_INTERRUPTIONS_TOTAL, RELAY_LAG_POSITIONS, RELAY_LAG_SECONDS, RELAY_RESUMES_TOTAL,
};

/// How many events are read and published at a time.
const BATCH: u32 = 1000;
/// After it has published at least this many events, but no full batch, the relay pauses for [`GATHER`] before the next
/// read: each read and each round of acknowledgements takes capacity from customers.
const CROWD: usize = 8;
const GATHER: Duration = Duration::from_millis(1);
/// How often the log is read without a notification.
const POLL: Duration = Duration::from_secs(1);
/// How long an idle relay relies on its last look at the stream. A stream that was wiped meanwhile is then refilled.
const REASSURE: Duration = Duration::from_secs(10);
/// The longest pause after a failure; the first is [`MIN_PAUSE`].
const MAX_PAUSE: Duration = Duration::from_secs(5);
const MIN_PAUSE: Duration = Duration::from_millis(300);
/// How often the health check is updated.
const OBSERVE: Duration = Duration::from_millis(500);

/// What stands in the relay's way; nothing while it works, or another instance leads.
pub(crate) type Problem = watch::Sender<Option<String>>;

/// The bus, as the leader uses it.
pub(crate) struct Bus {
    pub(crate) connection: Connection,
    pub(crate) stream: StreamConfig,
    pub(crate) problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("{0}")]
    Resume(#[from] ResumeError),
    #[error("{0}")]
    Publish(#[from] PublishError),
    #[error("{0}")]
    Tail(#[from] TailError),
    #[error("the log can't be read: {0}")]
    Log(#[from] event_store::Error),
}

/// Publishes until `term` ends. After every failure the relay resumes from the stream's last sequence, after a pause that
/// grows while failures repeat.
pub(crate) async fn run(
    mut publisher: Publisher,
    log: Log,
    mut head_watch: watch::Receiver<Position>,
    problem: &Problem,
    term: CancellationToken,
) {
    let mut pauses = pauses().build();
    while !term.is_cancelled() {
        counter!(RELAY_RESUMES_TOTAL).increment(1);
        let failed = tokio::select! {
            () = term.cancelled() => break,
            failed = publish(&mut publisher, &log, &mut head_watch, problem) => failed,
        };
        if let Err(error) = failed {
            tracing::warn!(error = %error, "the relay was interrupted");
            counter!(RELAY_INTERRUPTIONS_TOTAL, "reason" => error.label()).increment(1);
            if problem.send_replace(Some(error.to_string())).is_none() {
                pauses = self::pauses().build();
            }
            observe_lag(&log, publisher.last()).await;
            tokio::select! {
                () = term.cancelled() => break,
                () = tokio::time::sleep(pauses.next().unwrap_or(MAX_PAUSE)) => {}
            }
        }
    }
    problem.send_replace(None);
}

impl Bus {
    /// Keeps the health check in step with the bus, until `shutdown`. A failing bus only degrades it: commands need only
    /// the log.
    pub(crate) fn observe(
        &self,
        check: Check,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let (connection, problem) = (self.connection.clone(), self.problem.subscribe());
        async move {
            loop {
                // The connection's refusal explains the relay's problem.
                let reason = connection.problem().or_else(|| problem.borrow().clone());
                match reason {
                    Some(reason) => check.degraded(format!("events are not published: {reason}")),
                    None => check.ok(),
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(OBSERVE) => {}
                }
            }
        }
    }
}

/// Publishes from the stream's last sequence until a failure, or until the stream has to be checked again.
async fn publish(
    publisher: &mut Publisher,
    log: &Log,
    head_watch: &mut watch::Receiver<Position>,
    problem: &Problem,
) -> Result<(), Interrupted> {
    let epoch = log.head().await?.epoch;
    let outcome = publish_epoch(publisher, log, head_watch, problem, epoch).await;
    if let Err(Interrupted::Tail(TailError::Contradicted(position))) = outcome {
        // Before an event is published, so that the stream never mixes two epochs. Readers of the old epoch rebuild when
        // they see the new one.
        let reason =
            format!("position {position} was published and is not in the log: restored to an earlier point");
        if let Some(begun) = log.begin_epoch(epoch, &reason).await? {
            tracing::error!(epoch = %begun.epoch, after = begun.position.get(), reason, "the log began a new epoch");
        }
    }
    outcome
}

/// As [`publish`], within this epoch of the log.
async fn publish_epoch(
    publisher: &mut Publisher,
    log: &Log,
    head_watch: &mut watch::Receiver<Position>,
    problem: &Problem,
    epoch: Uuid,
) -> Result<(), Interrupted> {
    let mut tail = publisher.tail(epoch).await?;
    tail.check(log).await?;
    publisher.resume(log).await?;
    let mut idle_since = tokio::time::Instant::now();
    loop {
        head_watch.mark_unchanged();
        let LogPage { head, events } = tail.read_on(log, publisher.before(), BATCH).await?;
        publisher.check_epoch(head.epoch)?;
        if events.is_empty() {
            lag(0, None);
            problem.send_replace(None);
            if idle_since.elapsed() >= REASSURE {
                return Ok(());
            }
            // A notification and the timeout both lead to a read.
            let _ = tokio::time::timeout(POLL, head_watch.changed()).await;
            continue;
        }
        lag(events.len() as u64, events.first());
        publisher.publish_batch(&events).await?;
        tail = tail.then(&events);
        problem.send_replace(None);
        idle_since = tokio::time::Instant::now();
        if (CROWD..BATCH as usize).contains(&events.len()) {
            tokio::time::sleep(GATHER).await;
        }
    }
}

impl Interrupted {
    fn label(&self) -> &'static str {
        match self {
            Self::Resume(ResumeError::Declare(_)) | Self::Tail(TailError::Nats(_)) => "stream",
            Self::Resume(ResumeError::Log(_)) | Self::Tail(TailError::Log(_)) | Self::Log(_) => "log",
            Self::Tail(TailError::Contradicted(_) | TailError::Moved(_)) => "restored",
            Self::Publish(error) => error.kind,
        }
    }
}

fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(MIN_PAUSE)
        .with_max_delay(MAX_PAUSE)
        .with_jitter()
        .without_max_times()
}

/// While nothing can be published, how far the stream falls behind.
async fn observe_lag(log: &Log, last: Position) {
    if let Ok(head) = log.head().await {
        let oldest = log.read_after(last, 1).await.unwrap_or_default();
        lag(head.position.since(last), oldest.first());
    }
}

fn lag(positions: u64, oldest: Option<&RecordedEvent>) {
    gauge!(RELAY_LAG_POSITIONS).set(f64::from(u32::try_from(positions).unwrap_or(u32::MAX)));
    let age = oldest.map_or(0, |event| {
        (Utc::now() - event.recorded_at).num_milliseconds().max(0)
    });
    gauge!(RELAY_LAG_SECONDS).set(Duration::from_millis(age.unsigned_abs()).as_secs_f64());
}
