//! Publishes the log so that stream sequence equals log position.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{self, PublishAckFuture, PublishErrorKind};
use envelope::{Position, RecordedEvent};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::message::encode;
use crate::metrics;
use crate::previous::PreviousPositions;
use crate::stream::{DeclareError, StreamConfig};
use crate::tail::{Tail, TailError};
use envelope::{LogError, LogReader};

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
/// [`Publisher::resume`], and go on after the position it gives.
#[derive(Debug)]
pub struct Publisher {
    context: Context,
    stream: StreamConfig,
    options: PublisherOptions,
    last: Position,
    epoch: Uuid,
    previous: PreviousPositions,
    resumed: bool,
}

/// Why a publisher doesn't know where to go on.
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
    /// A word for metrics: `not_resumed`, `out_of_order`, `wrong_last_sequence`, `stream_missing`, `timeout`, `encode`
    /// or `other`.
    pub kind: &'static str,
    reason: String,
}

impl Publisher {
    /// A publisher that must [`Publisher::resume`] first.
    pub fn new(context: Context, stream: StreamConfig, options: PublisherOptions) -> Self {
        let (last, epoch, previous) = (Position::START, Uuid::nil(), PreviousPositions::default());
        Self {
            context,
            stream,
            options,
            last,
            epoch,
            previous,
            resumed: false,
        }
    }

    /// Declares the stream and learns its last sequence: the position to go on after.
    pub async fn resume(&mut self, log: &impl LogReader) -> Result<Position, ResumeError> {
        self.resumed = false;
        let declared = self
            .stream
            .declare(&self.context, log, self.options.backlog)
            .await?;
        self.previous = PreviousPositions::load(log, declared.last)
            .await
            .map_err(ResumeError::Log)?;
        (self.last, self.epoch) = (declared.last, declared.epoch);
        self.resumed = true;
        Ok(self.last)
    }

    /// The last event that was published of this life of the log, as the stream says.
    pub async fn tail(&self, epoch: Uuid) -> Result<Tail, TailError> {
        Tail::published(&self.context, &self.stream, epoch).await
    }

    /// The last position known to be in the stream.
    pub fn last(&self) -> Position {
        self.last
    }

    /// Publishes events that follow [`Publisher::last`] without a gap, and waits until the server has them all.
    pub async fn publish_batch(&mut self, events: &[RecordedEvent]) -> Result<Position, PublishError> {
        let started = Instant::now();
        let before = self.last;
        let mut in_flight = VecDeque::with_capacity(events.len().min(self.options.max_in_flight));
        let mut result = self.send_all(events, &mut in_flight).await;
        while result.is_ok() && !in_flight.is_empty() {
            result = self.take_ack(&mut in_flight).await;
        }
        ::metrics::counter!(metrics::PUBLISHED).increment(self.last.since(before));
        ::metrics::histogram!(metrics::PUBLISH_SECONDS).record(started.elapsed());
        if let Err((kind, reason)) = result {
            self.resumed = false;
            // Nothing of this batch may still be under way when the stream's last sequence is read again.
            let deadline = Instant::now() + self.options.ack_wait;
            for (_, ack) in in_flight {
                timeout_at(deadline, ack).await.ok();
            }
            ::metrics::counter!(metrics::PUBLISH_ERRORS, "reason" => kind).increment(1);
            return Err(PublishError {
                acked: self.last,
                kind,
                reason,
            });
        }
        Ok(self.last)
    }

    async fn send_all(&mut self, events: &[RecordedEvent], in_flight: &mut InFlight) -> Result<(), Stop> {
        if !self.resumed {
            return Err(("not_resumed", "resume first".into()));
        }
        // What the server takes, less room for the headers; 0 while it is unknown.
        let max_body = self
            .context
            .client()
            .server_info()
            .max_payload
            .saturating_sub(1_024);
        let mut expected = self.last.next();
        for event in events {
            if event.position != expected {
                return Err((
                    "out_of_order",
                    format!("{} where {expected} was due", event.position),
                ));
            }
            expected = expected.next();
            while in_flight.len() >= self.options.max_in_flight {
                self.take_ack(in_flight).await?;
            }
            let ack = self.send(event, max_body).await?;
            in_flight.push_back((event.position, ack));
        }
        Ok(())
    }

    async fn send(&mut self, event: &RecordedEvent, max_body: usize) -> Result<PublishAckFuture, Stop> {
        let previous = self.previous.replace(event);
        let mut body = serde_json::to_vec(event).map_err(|error| ("encode", error.to_string()))?;
        if max_body > 0 && body.len() > max_body {
            // Its place must be kept, so an empty body goes instead: every reader mistrusts it and looks the event
            // up in the log.
            body = Vec::new();
        }
        let (subject, message) = encode(&self.stream.subject_prefix, event, body, previous, self.epoch);
        match timeout(self.options.ack_wait, self.context.send_publish(subject, message)).await {
            Ok(Ok(ack)) => Ok(ack),
            Ok(Err(error)) => Err(stop(&error)),
            Err(_) => Err(("timeout", "the message was not taken in time".into())),
        }
    }

    async fn take_ack(&mut self, in_flight: &mut InFlight) -> Result<(), Stop> {
        let Some((position, ack)) = in_flight.pop_front() else {
            return Ok(());
        };
        match timeout(self.options.ack_wait, ack).await {
            Ok(Ok(ack)) if ack.sequence == position.get() => {
                self.last = position;
                Ok(())
            }
            Ok(Ok(ack)) => Err((
                "wrong_last_sequence",
                format!("{position} was stored as {}", ack.sequence),
            )),
            Ok(Err(error)) => Err(stop(&error)),
            Err(_) => Err(("timeout", format!("no acknowledgement of {position}"))),
        }
    }
}

type InFlight = VecDeque<(Position, PublishAckFuture)>;
type Stop = (&'static str, String);

fn stop(error: &context::PublishError) -> Stop {
    let kind = match error.kind() {
        PublishErrorKind::StreamNotFound => "stream_missing",
        PublishErrorKind::WrongLastSequence => "wrong_last_sequence",
        PublishErrorKind::TimedOut => "timeout",
        _ => "other",
    };
    (kind, error.to_string())
}
