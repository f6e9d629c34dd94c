//! Publishes the log so that stream sequence equals log position.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::context::{self, PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use envelope::{LogError, LogReader, Mark, Position, RecordedEvent};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::connect::Connection;
use crate::decide::{PublisherCore, Stop};
use crate::message::encode;
use crate::metrics;
use crate::previous::PreviousPositions;
use crate::stream::{DeclareError, StreamConfig};
use crate::tail::{Tail, TailError};

/// Limits of a [`Publisher`].
#[derive(Clone, Copy, Debug)]
pub struct PublisherOptions {
    /// Publishes waiting for their acknowledgement. More starves the stream's consumers.
    pub max_in_flight: usize,
    /// How long one acknowledgement may take.
    pub ack_wait: Duration,
    /// How many of the log's last events a newly created stream is filled with.
    pub backlog: u64,
}

impl Default for PublisherOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 1_000,
            ack_wait: Duration::from_secs(5),
            backlog: 10_000,
        }
    }
}

/// Copies the log into the stream, in order, each event once.
///
/// The server accepts a message only as the successor of the one before (`Nats-Expected-Last-Sequence`). So a second
/// publisher, or a message the network delivered late, is refused and never doubles an event. After any error:
/// [`Publisher::resume`], and continue after the position it returns.
pub struct Publisher {
    bus: Connection,
    stream: StreamConfig,
    options: PublisherOptions,
    core: PublisherCore,
}

/// Why a publisher does not know its next position.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The stream is not there or not as declared.
    #[error(transparent)]
    Declare(#[from] DeclareError),
    /// The log could not be read.
    #[error("log: {0}")]
    Log(#[source] LogError),
}

/// Why a batch stopped. Everything up to `acked` is in the stream, and perhaps more.
#[derive(Debug, thiserror::Error)]
#[error("publishing stopped after position {acked}: {reason}")]
pub struct PublishError {
    /// The last position the server acknowledged.
    pub acked: Position,
    /// The label for metrics: `not_resumed`, `out_of_order`, `wrong_last_sequence`, `stream_missing`, `epoch_changed`, `full`,
    /// `timeout`, `encode` or `other`.
    pub kind: &'static str,
    reason: String,
}

impl Publisher {
    /// A publisher that must [`Publisher::resume`] first.
    pub fn new(bus: Connection, stream: StreamConfig, options: PublisherOptions) -> Self {
        Self {
            bus,
            stream,
            core: PublisherCore::new(options.max_in_flight),
            options,
        }
    }

    /// Declares the stream and reads its last sequence: the position to continue after.
    pub async fn resume(&mut self, log: &impl LogReader) -> Result<Position, ResumeError> {
        self.core.interrupted();
        let declared = self.stream.declare(&self.bus, log, self.options.backlog).await?;
        let (previous, last) = PreviousPositions::load(log, declared.last)
            .await
            .map_err(ResumeError::Log)?;
        self.core.resumed(last, declared.epoch, previous);
        Ok(declared.last)
    }

    /// The last event of this epoch of the log in the stream.
    pub async fn tail(&self, epoch: Uuid) -> Result<Tail, TailError> {
        Tail::published(&self.bus, &self.stream, epoch).await
    }

    /// The last position known to be in the stream.
    pub fn last(&self) -> Position {
        self.core.last()
    }

    /// The last event sent: the log is read behind it, see [`Tail::read_on`].
    pub fn before(&self) -> Mark {
        self.core.before()
    }

    /// Whether events that were read in the epoch `read` may be published. If not, the log was restored since the publisher
    /// resumed, and it must resume again.
    pub fn check_epoch(&mut self, read: Uuid) -> Result<(), PublishError> {
        let checked = self.core.check_epoch(read);
        checked.map_err(|stop| self.stopped(stop))
    }

    /// Publishes events that follow [`Publisher::last`] without a gap, and waits until the server has them all.
    pub async fn publish_batch(&mut self, events: &[RecordedEvent]) -> Result<Position, PublishError> {
        let started = Instant::now();
        let before = self.last();
        let mut in_flight = VecDeque::with_capacity(events.len().min(self.options.max_in_flight));
        let mut result = self.send_all(events, &mut in_flight).await;
        while result.is_ok() && !in_flight.is_empty() {
            result = self.take_ack(&mut in_flight).await;
        }
        ::metrics::counter!(metrics::PUBLISHED).increment(self.last().since(before));
        ::metrics::histogram!(metrics::PUBLISH_SECONDS).record(started.elapsed());
        if let Err(stop) = result {
            // Nothing of this batch may still be under way when the stream's last sequence is read again.
            let deadline = Instant::now() + self.options.ack_wait;
            for ack in in_flight {
                timeout_at(deadline, ack).await.ok();
            }
            return Err(self.stopped(stop));
        }
        Ok(self.last())
    }

    fn stopped(&mut self, Stop { kind, reason }: Stop) -> PublishError {
        self.core.interrupted();
        ::metrics::counter!(metrics::PUBLISH_ERRORS, "reason" => kind).increment(1);
        PublishError {
            acked: self.last(),
            kind,
            reason,
        }
    }

    async fn send_all(&mut self, events: &[RecordedEvent], in_flight: &mut InFlight) -> Result<(), Stop> {
        self.core.check_resumed()?;
        // What the server takes, less room for the headers; 0 while it is unknown.
        let max_body = self.bus.client().server_info().max_payload.saturating_sub(1_024);
        for event in events {
            while !self.core.has_room() {
                self.take_ack(in_flight).await?;
            }
            in_flight.push_back(self.send(event, max_body).await?);
        }
        Ok(())
    }

    async fn send(&mut self, event: &RecordedEvent, max_body: usize) -> Result<PublishAckFuture, Stop> {
        let outgoing = self.core.send(event)?;
        let mut body = serde_json::to_vec(event).map_err(|error| stop("encode", error.to_string()))?;
        if max_body > 0 && body.len() > max_body {
            // Its place must be kept, so an empty body is sent: every reader rejects it and reads the event from
            // the log.
            body = Vec::new();
        }
        let (subject, message) = encode(&self.stream.subject_prefix, event, body, outgoing);
        match timeout(self.options.ack_wait, self.bus.send_publish(subject, message)).await {
            Ok(Ok(ack)) => Ok(ack),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(stop("timeout", "the message was not taken in time".into())),
        }
    }

    async fn take_ack(&mut self, in_flight: &mut InFlight) -> Result<(), Stop> {
        let Some(ack) = in_flight.pop_front() else {
            return Ok(());
        };
        match timeout(self.options.ack_wait, ack).await {
            Ok(Ok(ack)) => self.core.acknowledged(ack.sequence),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(stop(
                "timeout",
                format!("no acknowledgement of {}", self.last().next()),
            )),
        }
    }
}

/// How the server says that it has no room for a message: of its own, of the account, of the stream, or on the disk.
const FULL: [ErrorCode; 5] = [
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED,
    ErrorCode::STREAM_STORE_FAILED,
];

/// Acknowledgements still to come, in the order of sending.
type InFlight = VecDeque<PublishAckFuture>;

fn stop(kind: &'static str, reason: String) -> Stop {
    Stop { kind, reason }
}

fn refused(error: &context::PublishError) -> Stop {
    let told = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    let kind = match error.kind() {
        _ if told.is_some_and(|told| FULL.contains(&told.error_code())) => "full",
        PublishErrorKind::StreamNotFound => "stream_missing",
        PublishErrorKind::WrongLastSequence => "wrong_last_sequence",
        PublishErrorKind::TimedOut => "timeout",
        _ => "other",
    };
    stop(kind, error.to_string())
}
