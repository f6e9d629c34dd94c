//! What is handed to the log.

use envelope::{Metadata, Position};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The caller's key of one command: the same key with the same request gets the first answer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose keys these are, for example a user and an operation, or a process manager.
    pub scope: String,
    /// The key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the request.
    pub request_hash: Vec<u8>,
}

impl IdempotencyKey {
    /// A key that no one else has, for a command whose caller brought none. It still makes the log's own retries safe.
    pub fn unique() -> Self {
        Self {
            scope: "unkeyed".into(),
            key: Uuid::now_v7().to_string(),
            request_hash: Vec::new(),
        }
    }
}

/// An event to be recorded.
#[derive(Clone)]
pub struct NewEvent {
    /// Kind of aggregate.
    pub aggregate_type: &'static str,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The place that it must get among the aggregate's events, from 1.
    pub sequence: u64,
    /// What happened.
    pub event_type: &'static str,
    /// Version of the payload's shape.
    pub event_version: &'static str,
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
    /// Who and what led to it.
    pub metadata: Metadata,
}

impl Append {
    /// About how many bytes it takes in a statement.
    pub(crate) fn weight(&self) -> usize {
        512 + self.response.len()
            + self
                .events
                .iter()
                .map(|event| 512 + event.payload.get().len())
                .sum::<usize>()
    }
}

/// What became of an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of its last event, or of the head if it had none.
    pub position: Position,
    /// The kept answer, a JSON object without its position.
    pub response: String,
    /// Whether the key had been used before, so that this is the first request's answer.
    pub replayed: bool,
}
