//! The log to the bus: reads what the stream does not have yet, in order, and publishes it.

use std::time::Duration;

use chrono::Utc;
use envelope::{Position, RecordedEvent};
use event_bus::{Publisher, TailError};
use event_store::Log;
use metrics::{counter, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::{RELAY_LAG_POSITIONS, RELAY_LAG_SECONDS, RELAY_RESUMES_TOTAL};

/// How many events are read and published at a time.
const BATCH: u32 = 1000;
/// How often the log is asked when nobody said that it grew.
const POLL: Duration = Duration::from_secs(1);
/// How long the stream may go unasked: a stream that was wiped while nothing happened is filled again then.
const REASSURE: Duration = Duration::from_secs(10);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(300);

/// Publishes until `term` ends. Whatever fails, it asks the stream where it stands and goes on from there.
pub(crate) async fn run(
    mut publisher: Publisher,
    log: Log,
    mut hint: watch::Receiver<Position>,
    term: CancellationToken,
) {
    while !term.is_cancelled() {
        counter!(RELAY_RESUMES_TOTAL).increment(1);
        let failed = tokio::select! {
            () = term.cancelled() => return,
            failed = publish(&mut publisher, &log, &mut hint) => failed,
        };
        if let Err(error) = failed {
            tracing::warn!(error = %error, "the relay was interrupted");
            observe_lag(&log, publisher.last()).await;
            tokio::select! {
                () = term.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Publishes from where the stream stands until something fails, or it is time to ask the stream again.
async fn publish(
    publisher: &mut Publisher,
    log: &Log,
    hint: &mut watch::Receiver<Position>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let epoch = log.head().await?.epoch;
    let outcome = publish_life(publisher, log, hint, epoch).await;
    if let Err(TailError::Contradicted(position)) = outcome {
        // Before anything is published that would mix two lives. What somebody may have seen of the old one is made
        // anew by all who notice.
        let reason =
            format!("position {position} was published and is not in the log: restored to an earlier point");
        if let Some(begun) = log.begin_epoch(epoch, &reason).await? {
            tracing::error!(epoch = %begun.epoch, after = begun.position.get(), reason, "the log began a new life");
        }
    }
    Ok(outcome?)
}

/// As [`publish`], while the log lives this life.
async fn publish_life(
    publisher: &mut Publisher,
    log: &Log,
    hint: &mut watch::Receiver<Position>,
    epoch: Uuid,
) -> Result<(), TailError> {
    let mut tail = publisher.tail(epoch).await?;
    tail.check(log).await?;
    let failed = |error: String| TailError::Nats(error);
    let mut last = publisher
        .resume(log)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let mut idle_since = tokio::time::Instant::now();
    loop {
        hint.mark_unchanged();
        let events = tail.read_on(log, last, BATCH).await?;
        if events.is_empty() {
            lag(0, None);
            if idle_since.elapsed() >= REASSURE {
                return Ok(());
            }
            // Whether somebody said so or it is time to look: both lead to a read.
            let _ = tokio::time::timeout(POLL, hint.changed()).await;
            continue;
        }
        lag(events.len() as u64, events.first());
        last = publisher
            .publish_batch(&events)
            .await
            .map_err(|error| failed(error.to_string()))?;
        tail = tail.then(&events);
        idle_since = tokio::time::Instant::now();
    }
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
