//! An event as a message: headers and body, out and in.

use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, jetstream};
use envelope::{Fingerprint, Position, RecordedEvent, subject};
use uuid::Uuid;

use crate::decide::Outgoing;

/// The position of the event before this one in the same partition, 0 if there is none.
pub(crate) const PREV_POSITION: &str = "prev-position";
/// Which event is before this one in the log, as a [`Fingerprint`]; absent where the publisher does not know it.
pub(crate) const PREV_FINGERPRINT: &str = "prev-fingerprint";
/// The epoch of the log: a header of every message, and metadata of the stream.
pub const LOG_EPOCH: &str = "log-epoch";
/// The event type, for a person who reads the stream.
const EVENT_TYPE: &str = "event-type";
/// The headers of a message: the position before this one (the server accepts a message only as its successor), the
/// fingerprint of the event there, the position before it in its partition, the epoch of the log, and the event type.
pub const HEADERS: [&str; 5] = [
    "Nats-Expected-Last-Sequence",
    PREV_FINGERPRINT,
    PREV_POSITION,
    LOG_EPOCH,
    EVENT_TYPE,
];

/// An event that came over the stream and fits its place in it.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The event itself.
    pub event: RecordedEvent,
    /// The position before it in its partition.
    pub previous_in_partition: Position,
    /// The fingerprint of the event before it in the log, if the message has it.
    pub previous: Option<Fingerprint>,
}

/// A message that was not published from this log. The event at its position is read from the log instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The server's own envelope is missing: not a message of a stream.
    #[error("not a message of a stream")]
    NotFromStream,
    /// The body is not a recorded event.
    #[error("the body is not a recorded event")]
    Body,
    /// The position in the body is not the stream's sequence.
    #[error("position {position} at stream sequence {sequence}")]
    Position {
        /// The position in the body.
        position: Position,
        /// The sequence in the stream.
        sequence: u64,
    },
    /// A header is missing or has another epoch of the log.
    #[error("not of this log: {0}")]
    Header(&'static str),
}

/// Subject and message of an event; the body is the event's JSON.
pub(crate) fn encode(
    prefix: &str,
    event: &RecordedEvent,
    body: Vec<u8>,
    outgoing: Outgoing,
) -> (String, PublishMessage) {
    let subject = subject(
        prefix,
        &event.aggregate_type,
        &event.event_type,
        event.aggregate_id,
    );
    let mut headers = HeaderMap::new();
    headers.insert(PREV_POSITION, outgoing.previous_in_partition.get().to_string());
    if let Some(previous) = outgoing.previous {
        headers.insert(PREV_FINGERPRINT, previous.to_string());
    }
    headers.insert(LOG_EPOCH, outgoing.epoch.to_string());
    headers.insert(EVENT_TYPE, event.event_type.as_str());
    let message = PublishMessage::build()
        .headers(headers)
        .expected_last_sequence(outgoing.expected_last.get())
        .payload(body.into());
    (subject, message)
}

/// The content of a message before it is checked.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The epoch of the log in its headers.
    pub epoch: Option<Uuid>,
    /// The position before it in its partition, from its headers.
    pub previous_in_partition: Option<Position>,
    /// The fingerprint of the event before it in the log, from its headers.
    pub previous: Option<Fingerprint>,
    /// Its body, if that is a recorded event.
    pub event: Option<RecordedEvent>,
}

impl Claim {
    /// Checks that it is an event of the log in this epoch, at the position of its stream sequence.
    pub fn believe(self, epoch: Uuid) -> Result<Arrived, Untrusted> {
        if self.epoch != Some(epoch) {
            return Err(Untrusted::Header(LOG_EPOCH));
        }
        let previous_in_partition = self
            .previous_in_partition
            .ok_or(Untrusted::Header(PREV_POSITION))?;
        let event = self.event.ok_or(Untrusted::Body)?;
        if event.position.get() != self.sequence {
            return Err(Untrusted::Position {
                position: event.position,
                sequence: self.sequence,
            });
        }
        Ok(Arrived {
            event,
            previous_in_partition,
            previous: self.previous,
        })
    }
}

/// Reads a message as an event of the log in this epoch, at the position of its stream sequence.
pub fn decode(message: &jetstream::Message, epoch: Uuid) -> Result<Arrived, Untrusted> {
    let sequence = message
        .info()
        .map_err(|_| Untrusted::NotFromStream)?
        .stream_sequence;
    let header = |name| {
        message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(name))
            .map(AsRef::as_ref)
    };
    let claim = Claim {
        sequence,
        epoch: header(LOG_EPOCH).and_then(|value: &str| value.parse().ok()),
        previous_in_partition: header(PREV_POSITION)
            .and_then(|value: &str| value.parse().ok())
            .map(Position::new),
        previous: header(PREV_FINGERPRINT).and_then(|value: &str| value.parse().ok()),
        event: serde_json::from_slice(&message.payload).ok(),
    };
    claim.believe(epoch)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use envelope::{Fingerprint, Metadata, Position, RecordedEvent};
    use uuid::Uuid;

    use super::{HEADERS, encode};
    use crate::decide::Outgoing;

    #[test]
    fn a_message_has_exactly_the_headers_that_are_promised() {
        let event = RecordedEvent {
            position: Position::new(7),
            aggregate_type: "thing".into(),
            aggregate_id: Uuid::nil(),
            sequence: 1,
            event_type: "ThingMade".into(),
            event_version: "1".into(),
            payload: serde_json::value::to_raw_value(&()).unwrap(),
            metadata: Metadata::default(),
            recorded_at: DateTime::<Utc>::UNIX_EPOCH,
        };
        let outgoing = Outgoing {
            expected_last: Position::new(6),
            previous_in_partition: Position::new(4),
            previous: Some(Fingerprint::of(&event)),
            epoch: Uuid::nil(),
        };
        let previous = Fingerprint::of(&event).to_string();
        let (subject, message) = encode("things.v1", &event, Vec::new(), outgoing);
        let headers = message.outbound_message(subject).headers.unwrap();
        let found: BTreeMap<String, String> = headers
            .iter()
            .map(|(name, values)| (name.to_string(), values[0].to_string()))
            .collect();
        let nil = Uuid::nil().to_string();
        let values = ["6", previous.as_str(), "4", nil.as_str(), "ThingMade"];
        let expected = HEADERS
            .map(str::to_owned)
            .into_iter()
            .zip(values.map(str::to_owned));
        assert_eq!(found, expected.collect());
    }
}
