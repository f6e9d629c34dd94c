//! The last published event of an epoch of the log. The log had it first: if the log does not hold it, the log was
//! restored to an earlier point, and readers may have seen events that are gone.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::RawMessageErrorKind;
use envelope::{Contradiction, LogError, LogPage, LogReader, Mark, Position, RecordedEvent};
use uuid::Uuid;

use crate::StreamConfig;
use crate::message::LOG_EPOCH;

/// The last published event, if it is known: the log is read behind it.
#[derive(Clone, Debug, Default)]
pub struct Tail(Option<RecordedEvent>);

/// Why the log can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The log does not hold the last published event of its epoch.
    #[error("position {0} was published as another event than the log holds, or it holds none")]
    Contradicted(Position),
    /// The log changed since the publisher resumed, at a place that is not known to be published.
    #[error("{0}")]
    Moved(#[from] Contradiction),
    /// The log could not be read.
    #[error("log: {0}")]
    Log(#[source] LogError),
    /// The stream could not be read.
    #[error("nats: {0}")]
    Nats(String),
}

impl Tail {
    /// The last event in the live stream, if the stream exists and its last message is an event of this epoch of the log.
    /// Anything else proves nothing.
    pub async fn published(context: &Context, stream: &StreamConfig, epoch: Uuid) -> Result<Self, TailError> {
        let Some(last) = stream.last_sequence(context).await.map_err(TailError::Nats)? else {
            return Ok(Self::default());
        };
        let live = context.get_stream_no_info(&stream.name).await.map_err(nats)?;
        let message = match live.get_raw_message(last).await {
            Ok(message) => message,
            // Expired, deleted, or a stream without messages.
            Err(error) if is_none(&error.kind()) => return Ok(Self::default()),
            Err(error) => return Err(nats(error)),
        };
        let of_epoch = message.headers.get(LOG_EPOCH).map(AsRef::as_ref) == Some(epoch.to_string().as_str());
        let event: Option<RecordedEvent> = serde_json::from_slice(&message.payload).ok();
        Ok(Self(
            event.filter(|event| of_epoch && event.position.get() == last),
        ))
    }

    /// With this as the last event that was published, if it is known.
    pub const fn of(event: Option<RecordedEvent>) -> Self {
        Self(event)
    }

    /// After publishing `events`.
    #[must_use]
    pub fn then(self, events: &[RecordedEvent]) -> Self {
        Self(events.last().cloned().or(self.0))
    }

    /// At most `limit` events of the log after `last`, if the log still holds the tail and the event at `last`, where that is
    /// known.
    pub async fn read_on(
        &self,
        log: &impl LogReader,
        last: impl Into<Mark>,
        limit: u32,
    ) -> Result<LogPage, TailError> {
        let last = last.into();
        let (after, limit) = self.asks(last, limit);
        let page = log.read_page(after, limit).await.map_err(TailError::Log)?;
        self.answered(last, page)
    }

    /// What [`Tail::read_on`] asks the log for: after which position, and how many.
    pub fn asks(&self, last: Mark, limit: u32) -> (Position, u32) {
        if self.at(last.position).is_none() {
            return last.reading(limit);
        }
        let before = Position::new(last.position.get().saturating_sub(1));
        (before, limit.saturating_add(1))
    }

    /// What [`Tail::read_on`] makes of the answer.
    pub fn answered(&self, last: Mark, mut page: LogPage) -> Result<LogPage, TailError> {
        let Some(tail) = self.at(last.position) else {
            last.prove(&mut page)?;
            return Ok(page);
        };
        if page.events.first().is_none_or(|first| !is_same(first, tail)) {
            return Err(TailError::Contradicted(last.position));
        }
        page.events.remove(0);
        Ok(page)
    }

    fn at(&self, position: Position) -> Option<&RecordedEvent> {
        self.0.as_ref().filter(|tail| tail.position == position)
    }

    /// Whether the log still holds the tail.
    pub async fn check(&self, log: &impl LogReader) -> Result<(), TailError> {
        match &self.0 {
            Some(tail) => self.read_on(log, tail.position, 0).await.map(drop),
            None => Ok(()),
        }
    }
}

/// Compares identity, not content: seals detect a change in place.
fn is_same(one: &RecordedEvent, other: &RecordedEvent) -> bool {
    one.position == other.position
        && one.aggregate_id == other.aggregate_id
        && one.sequence == other.sequence
        && one.event_type == other.event_type
        && one.recorded_at == other.recorded_at
}

fn is_none(kind: &RawMessageErrorKind) -> bool {
    match kind {
        RawMessageErrorKind::NoMessageFound => true,
        RawMessageErrorKind::JetStream(error) => {
            error.error_code() == async_nats::jetstream::ErrorCode::NO_MESSAGE_FOUND
        }
        _ => false,
    }
}

fn nats(error: impl std::fmt::Display) -> TailError {
    TailError::Nats(error.to_string())
}
