//! Events to tasks: reads the log in order, by way of the bus, and remembers how far in the event database.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use envelope::{EventPayload as _, Position, RecordedEvent};
use event_bus::{Connection, Feed, FeedOptions, StreamConfig};
use event_store::{Log, NewTask};
use events::{OrderEvent, OrderPlaced, aggregate_type};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{CAPTURE, FULFILL, REFUND, SETTLE, Shop};

/// How many events are planned for at a time.
const BATCH: usize = 500;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(300);
/// How long after an order ended its payment is looked at once more, for one that was started at the last moment.
const LAST_LOOK: TimeDelta = TimeDelta::minutes(10);

/// Plans until `term` ends.
pub(crate) async fn plan(
    shop: Shop,
    log: Log,
    bus: Connection,
    stream: StreamConfig,
    hint: watch::Receiver<Position>,
    term: CancellationToken,
) {
    while !term.is_cancelled() {
        if let Err(error) = plan_from_checkpoint(&shop, &log, &bus, &stream, hint.clone(), &term).await
            && !term.is_cancelled()
        {
            tracing::warn!(error = %error, "planning was interrupted");
            tokio::select! {
                () = term.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

async fn plan_from_checkpoint(
    shop: &Shop,
    log: &Log,
    bus: &Connection,
    stream: &StreamConfig,
    hint: watch::Receiver<Position>,
    term: &CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Checkpoint and log are one database: a restored log brings its own checkpoint, so the epoch is simply today's.
    let epoch = log.head().await?.epoch;
    let mut done = shop.tasks.checkpoint().await?;
    let options = FeedOptions {
        name: "planner",
        ..FeedOptions::default()
    };
    let mut feed = Feed::new(bus.clone(), stream, done, epoch, log.clone(), hint, options);
    loop {
        let events = feed.next_batch(BATCH, term).await?;
        let last = feed.last();
        let tasks: Vec<NewTask> = events.iter().filter_map(task).collect();
        let planned = !tasks.is_empty();
        if !shop.tasks.plan(done, last, tasks).await? {
            return Err("another instance plans too".into());
        }
        done = last;
        if planned {
            shop.planned.notify_waiters();
        }
    }
}

/// What an event asks for, if anything.
fn task(event: &RecordedEvent) -> Option<NewTask> {
    if event.aggregate_type != aggregate_type::ORDER {
        return None;
    }
    let (kind, due_at) = match event.event_type.as_str() {
        "OrderPlaced" => (SETTLE, first_look(event)),
        "OrderPaid" => (FULFILL, event.recorded_at),
        "OrderFulfilled" => (CAPTURE, event.recorded_at),
        "RefundRequested" => (REFUND, event.recorded_at),
        "OrderExpired" | "OrderCancelled" => (SETTLE, event.recorded_at + LAST_LOOK),
        _ => return None,
    };
    Some(NewTask {
        aggregate_id: event.aggregate_id,
        kind,
        due_at,
        position: event.position,
        request_id: event.metadata.request_id.clone(),
        correlation_id: event.metadata.correlation_id.clone(),
    })
}

/// When an order's payment is asked about for the first time. An order that can't be read is looked at at once: the
/// task then fails visibly, and holds up nobody else.
fn first_look(event: &RecordedEvent) -> DateTime<Utc> {
    match OrderEvent::decode(&event.event_type, &event.event_version, &event.payload) {
        Ok(OrderEvent::OrderPlaced(OrderPlaced { expires_at, .. })) => {
            super::settle::next_look(event.recorded_at, event.recorded_at, expires_at)
        }
        _ => event.recorded_at,
    }
}
