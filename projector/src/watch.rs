//! Looking at both databases once a second, from outside the work: health checks, lag, and what is parked.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Pool;
use envelope::{LogError, LogReader, Position};
use event_bus::Connection;
use read_model::{checkpoint, write};
use service::health::Check;
use service::postgres::describe;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{metrics, rebuild};

const EVERY: Duration = Duration::from_secs(1);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the stream may take to say how far it is; the rest does not wait for it.
const STREAM_PATIENCE: Duration = Duration::from_millis(500);

/// Looks until shutdown.
pub(crate) async fn watch(
    read: Pool,
    log: impl LogReader,
    bus: Connection,
    stream: String,
    check_read: Check,
    check_events: Check,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let checkpoint = look(&check_read, look_at_rows(&read)).await;
        if let Some(checkpoint) = checkpoint {
            let published = look_at_stream(&bus, &stream).await;
            look(&check_events, look_at_log(&log, &read, checkpoint, published)).await;
        } else {
            look(&check_events, async {
                log.head().await.map(|_| ()).map_err(|error| said(&error))
            })
            .await;
        }
    }
}

async fn look<T>(check: &Check, looking: impl Future<Output = Result<T, String>>) -> Option<T> {
    match timeout(PATIENCE, looking)
        .await
        .unwrap_or_else(|_| Err("no answer in time".into()))
    {
        Ok(seen) => {
            check.ok();
            Some(seen)
        }
        Err(reason) => {
            check.fail(reason);
            None
        }
    }
}

async fn look_at_rows(read: &Pool) -> Result<Position, String> {
    let client = read.get().await.map_err(|error| describe(&error))?;
    let standing = checkpoint::read_state(&**client)
        .await
        .map_err(|error| describe(&error))?;
    let checkpoint = standing.checkpoint;
    let parked = write::count_parked(&client)
        .await
        .map_err(|error| describe(&error))?;
    drop(client);
    let rebuild = rebuild::State::look(read).await?;
    ::metrics::gauge!(metrics::REBUILDING).set(f64::from(u8::from(rebuild.running)));
    ::metrics::gauge!(metrics::ROWS_KEPT).set(f64::from(u8::from(rebuild.kept.is_some())));
    ::metrics::gauge!(metrics::PARKED).set(float(Position::from_sql(parked).get()));
    ::metrics::gauge!(metrics::STALE).set(f64::from(u8::from(standing.stale)));
    ::metrics::gauge!(metrics::POSITION).set(float(checkpoint.position));
    Ok(Position::new(checkpoint.position))
}

/// The last position in the stream, if it can be seen; whether it can is the feed's to say.
async fn look_at_stream(bus: &Connection, stream: &str) -> Option<Position> {
    if !bus.is_connected() {
        return None;
    }
    let stream = timeout(STREAM_PATIENCE, bus.get_stream(stream))
        .await
        .ok()?
        .ok()?;
    Some(Position::new(stream.cached_info().state.last_sequence))
}

/// How far the rows are behind the log, and behind the stream: both begin with the same event.
async fn look_at_log(
    log: &impl LogReader,
    read: &Pool,
    checkpoint: Position,
    published: Option<Position>,
) -> Result<(), String> {
    let clock = clock(read).await;
    let head = log.head().await.map_err(|error| said(&error))?;
    if let Some(clock) = clock {
        tell_head(read, head.position, clock).await;
    }
    let behind = head.position.since(checkpoint);
    let mut seconds = 0.0;
    if behind > 0
        && let Some(oldest) = log
            .read_after(checkpoint, 1)
            .await
            .map_err(|error| said(&error))?
            .first()
    {
        // Clocks of two machines: never below zero.
        seconds = (Utc::now() - oldest.recorded_at)
            .to_std()
            .unwrap_or_default()
            .as_secs_f64();
    }
    ::metrics::gauge!(metrics::LAG_POSITIONS).set(float(behind));
    ::metrics::gauge!(metrics::LAG_SECONDS).set(seconds);
    if let Some(published) = published {
        let unapplied = published.since(checkpoint);
        ::metrics::gauge!(metrics::APPLY_LAG_POSITIONS).set(float(unapplied));
        ::metrics::gauge!(metrics::APPLY_LAG_SECONDS).set(if unapplied > 0 { seconds } else { 0.0 });
    }
    Ok(())
}

/// The read database's clock. Without it readers only learn later how far the log is.
async fn clock(read: &Pool) -> Option<DateTime<Utc>> {
    let client = read.get().await.ok()?;
    write::clock(&client).await.ok()
}

/// Tells readers how far the log is: they can't see it, and what is beyond is worth no waiting.
async fn tell_head(read: &Pool, head: Position, clock: DateTime<Utc>) {
    let Ok(client) = read.get().await else { return };
    if let Err(error) = write::see_head(&client, head.to_sql(), clock).await {
        tracing::debug!(error = %describe(&error), "readers were not told how far the log is");
    }
}

fn said(error: &LogError) -> String {
    describe(&**error)
}

/// Exact up to 2^53, far beyond any log.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn float(count: u64) -> f64 {
    count as f64
}
