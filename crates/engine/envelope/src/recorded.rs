//! An event as the log recorded it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Position;

/// An event as the log recorded it: the row in PostgreSQL and, as JSON, the body of the message on the bus.
///
/// `Debug` leaves the payload out: it may hold personal data.
#[derive(Clone, JsonSchema, Serialize, Deserialize)]
#[schemars(description = "An event as the log recorded it: the body of the message on the bus.")]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// The kind of aggregate it belongs to, for example `account`.
    pub aggregate_type: String,
    /// The aggregate it belongs to.
    pub aggregate_id: Uuid,
    /// Its place among the events of that aggregate: 1, 2, 3 … without a gap.
    pub sequence: u64,
    /// What happened, for example `Deposited`.
    pub event_type: String,
    /// The version of the payload's shape, for example `1`.
    pub event_version: String,
    /// The facts, JSON in the shape of (`event_type`, `event_version`).
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// Request, actor and cause.
    pub metadata: Metadata,
    /// When the log took it, by the database's clock.
    pub recorded_at: DateTime<Utc>,
}

impl std::fmt::Debug for RecordedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedEvent")
            .field("position", &self.position.get())
            .field("aggregate_type", &self.aggregate_type)
            .field("aggregate_id", &self.aggregate_id)
            .field("sequence", &self.sequence)
            .field("event_type", &self.event_type)
            .field("event_version", &self.event_version)
            .field("recorded_at", &self.recorded_at)
            .finish_non_exhaustive()
    }
}

impl PartialEq for RecordedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
            && self.aggregate_type == other.aggregate_type
            && self.aggregate_id == other.aggregate_id
            && self.sequence == other.sequence
            && self.event_type == other.event_type
            && self.event_version == other.event_version
            && self.payload.get() == other.payload.get()
            && self.metadata == other.metadata
            && self.recorded_at == other.recorded_at
    }
}

/// Request, actor and cause of an event. Ids only, never personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Metadata {
    /// The HTTP request (or the process manager's step) that led to it, as in the log lines of every service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The id of the first request of the conversation, passed on by process managers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The position of the event that led to this one, where a process manager acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_position: Option<Position>,
    /// The user's id, or `process:<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The highest role that the user acted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_role: Option<String>,
    /// W3C trace context, as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::{Metadata, RecordedEvent};
    use crate::Position;

    fn event() -> RecordedEvent {
        RecordedEvent {
            position: Position::new(7),
            aggregate_type: "account".into(),
            aggregate_id: Uuid::nil(),
            sequence: 1,
            event_type: "Deposited".into(),
            event_version: "1".into(),
            payload: serde_json::value::to_raw_value(&serde_json::json!({"name": "Kari"})).unwrap(),
            metadata: Metadata {
                request_id: Some("r-1".into()),
                ..Metadata::default()
            },
            recorded_at: DateTime::<Utc>::from_timestamp_micros(1_760_000_000_123_456).unwrap(),
        }
    }

    #[test]
    fn json_keeps_everything() {
        let json = serde_json::to_string(&event()).unwrap();
        assert_eq!(serde_json::from_str::<RecordedEvent>(&json).unwrap(), event());
        assert!(json.contains(r#""metadata":{"request_id":"r-1"}"#), "{json}");
    }

    #[test]
    fn debug_shows_no_payload() {
        assert!(!format!("{:?}", event()).contains("Kari"));
    }
}
