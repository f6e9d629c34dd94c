//! Examines both databases once a second, apart from the work: health checks, lag, and parked events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Pool;
use envelope::{LogError, LogReader, Position};
use event_bus::Connection;
use service::health::Check;
use service::postgres::describe;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::projection::Projection;
use crate::{checkpoint, head, metrics, parked, rebuild};

const EVERY: Duration = Duration::from_secs(1);
/// How long one examination may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long NATS may take to answer; the other measurements don't wait for it.
const STREAM_PATIENCE: Duration = Duration::from_millis(500);

/// What [`watch`] examines, and where it reports.
pub struct Watched<P, L> {
    /// The projection.
    pub projection: P,
    /// The read database.
    pub read: Pool,
    /// The log.
    pub log: L,
    /// JetStream.
    pub bus: Connection,
    /// The name of the stream that carries the log.
    pub stream: String,
    /// Whether the read database answers.
    pub check_read: Check,
    /// Whether the event database answers.
    pub check_events: Check,
}

/// Examines until shutdown.
pub async fn watch<P: Projection, L: LogReader>(watched: Watched<P, L>, shutdown: CancellationToken) {
    let Watched {
        projection,
        read,
        log,
        bus,
        stream,
        check_read,
        check_events,
    } = watched;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let checkpoint = look(&check_read, look_at_rows(&projection, &read)).await;
        if let Some(checkpoint) = checkpoint {
            let published = look_at_stream(&bus, &stream).await;
            let looking = look_at_log(&projection, &log, &read, checkpoint, published);
            look(&check_events, looking).await;
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

async fn look_at_rows<P: Projection>(projection: &P, read: &Pool) -> Result<Position, String> {
    let client = read.get().await.map_err(|error| describe(&error))?;
    let state = checkpoint::read_state(&client, projection)
        .await
        .map_err(|error| describe(&error))?;
    let parked = parked::count(&client, projection)
        .await
        .map_err(|error| describe(&error))?;
    drop(client);
    let rebuild = rebuild::State::look(projection, read).await?;
    let position = state.checkpoint.position;
    for (name, value) in [
        (metrics::REBUILDING, u64::from(rebuild.running)),
        (metrics::ROWS_KEPT, u64::from(rebuild.kept.is_some())),
        (metrics::PARKED, parked),
        (metrics::STALE, u64::from(state.stale)),
        (metrics::POSITION, position.get()),
    ] {
        gauge(projection, name, float(value));
    }
    Ok(position)
}

fn gauge(projection: &impl Projection, name: &'static str, value: f64) {
    ::metrics::gauge!(name, "projection" => projection.name().to_owned()).set(value);
}

/// The last position in the stream; none if NATS does not answer, which the subscription reports.
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

/// How far the rows are behind the log, and behind the stream: the first missing event is the same.
async fn look_at_log<P: Projection>(
    projection: &P,
    log: &impl LogReader,
    read: &Pool,
    checkpoint: Position,
    published: Option<Position>,
) -> Result<(), String> {
    let clock = clock(read).await;
    let head = log.head().await.map_err(|error| said(&error))?;
    if let Some(clock) = clock {
        store_head(projection, read, head.position, clock).await;
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
    gauge(projection, metrics::LAG_POSITIONS, float(behind));
    gauge(projection, metrics::LAG_SECONDS, seconds);
    if let Some(published) = published {
        let unapplied = published.since(checkpoint);
        gauge(projection, metrics::APPLY_LAG_POSITIONS, float(unapplied));
        gauge(
            projection,
            metrics::APPLY_LAG_SECONDS,
            if unapplied > 0 { seconds } else { 0.0 },
        );
    }
    Ok(())
}

/// The read database's clock. If it can't be read, readers learn of the head at the next examination.
async fn clock(read: &Pool) -> Option<DateTime<Utc>> {
    let client = read.get().await.ok()?;
    head::clock(&client).await.ok()
}

/// Stores how far the log is for readers: they can't see the log, and don't wait for a position beyond its head.
async fn store_head<P: Projection>(projection: &P, read: &Pool, position: Position, clock: DateTime<Utc>) {
    let Ok(client) = read.get().await else { return };
    if let Err(error) = head::see(&client, projection, position, clock).await {
        tracing::debug!(error = %describe(&error), "the head of the log was not stored");
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
