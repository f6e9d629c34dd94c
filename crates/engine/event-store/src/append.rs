//! What a caller hands to the log, and what it gets back.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use envelope::{Metadata, Position};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::claims::Claims;

/// The caller's key of one command: the same key with the same request gets the first answer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The owner of the keys, for example a user and an operation, or a process manager; 1 to 255 characters.
    pub scope: String,
    /// The key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
}

impl IdempotencyKey {
    /// The key of exactly this `request`: another request under the same key is refused.
    pub fn new(scope: impl Into<String>, key: impl Into<String>, request: impl AsRef<[u8]>) -> Self {
        let mut request_hash = [0; 32];
        request_hash.copy_from_slice(digest(&SHA256, request.as_ref()).as_ref());
        Self {
            scope: scope.into(),
            key: key.into(),
            request_hash,
        }
    }

    /// A fresh key, for a command whose caller brought none. It still makes the log's own retries safe.
    pub fn unique() -> Self {
        let key = Uuid::now_v7().to_string();
        Self::new("unkeyed", key.clone(), key)
    }
}

/// An event without its place: type, version and JSON payload.
#[derive(Clone)]
pub struct EventData {
    /// What happened.
    pub event_type: Cow<'static, str>,
    /// Version of the payload's shape.
    pub event_version: Cow<'static, str>,
    /// The facts.
    pub payload: Box<RawValue>,
}

impl EventData {
    /// An event in version 1 with `payload` as JSON.
    pub fn json(
        event_type: impl Into<Cow<'static, str>>,
        payload: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_type: event_type.into(),
            event_version: "1".into(),
            payload: to_raw_value(payload)?,
        })
    }
}

/// An event to be recorded.
#[derive(Clone)]
pub struct NewEvent {
    /// Kind of aggregate.
    pub aggregate_type: Cow<'static, str>,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The place that it must get among the aggregate's events, from 1.
    pub sequence: u64,
    /// What happened.
    pub event_type: Cow<'static, str>,
    /// Version of the payload's shape.
    pub event_version: Cow<'static, str>,
    /// The facts.
    pub payload: Box<RawValue>,
}

/// One command's events and outcome, to be committed together.
#[derive(Clone)]
pub struct Append {
    /// Its key.
    pub key: IdempotencyKey,
    /// The answer to keep: a JSON object, without its position.
    pub response: String,
    /// Its events, of one or more aggregates; may be empty.
    pub events: Vec<NewEvent>,
    /// The claims that it releases and takes.
    pub claims: Claims,
    /// Request, actor and cause.
    pub metadata: Metadata,
}

/// What one command recorded in the past.
#[derive(Clone)]
pub struct Past {
    /// When, as precise as the log keeps time: microseconds.
    pub at: DateTime<Utc>,
    /// Its events, of one or more aggregates; at least one.
    pub events: Vec<NewEvent>,
    /// The claims that it released and took; no guards, since nothing of the past changes any more.
    pub claims: Claims,
    /// Request, actor and cause.
    pub metadata: Metadata,
}

impl Append {
    /// A command without events, claims and metadata, whose answer is `{}`.
    pub fn new(key: IdempotencyKey) -> Self {
        Self {
            key,
            response: "{}".into(),
            events: Vec::new(),
            claims: Claims::default(),
            metadata: Metadata::default(),
        }
    }

    /// Adds events to a stream. The stream must be at version `expected`, 0 for a new one, or the command is refused.
    #[must_use]
    pub fn events(
        mut self,
        aggregate_type: impl Into<Cow<'static, str>>,
        aggregate_id: Uuid,
        expected: u64,
        events: impl IntoIterator<Item = EventData>,
    ) -> Self {
        let aggregate_type = aggregate_type.into();
        let events = (expected + 1..).zip(events).map(|(sequence, event)| NewEvent {
            aggregate_type: aggregate_type.clone(),
            aggregate_id,
            sequence,
            event_type: event.event_type,
            event_version: event.event_version,
            payload: event.payload,
        });
        self.events.extend(events);
        self
    }

    /// About how many bytes it takes in a statement.
    pub(crate) fn weight(&self) -> usize {
        512 + self.response.len()
            + self
                .events
                .iter()
                .map(|event| 512 + event.payload.get().len())
                .sum::<usize>()
            + 256 * self.claims.steps()
    }
}

/// The outcome of an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of its last event, or of the head if it had none.
    pub position: Position,
    /// The kept answer, a JSON object without its position.
    pub response: String,
    /// Whether the key had been used before, so that this is the first request's answer.
    pub replayed: bool,
    /// Set when the log cannot tell whether this call or an earlier attempt wrote the events: the database's answer was
    /// lost, and the key was found used with this very response. Reload the aggregate before building on it.
    pub in_doubt: bool,
}
