//! What is handed to the log.

use aws_lc_rs::digest::{SHA256, digest};
use envelope::{Metadata, Position};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::claims::Claims;

/// The caller's key of one command: the same key with the same request gets the first answer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose keys these are, for example a user and an operation, or a process manager; 1 to 255 characters.
    pub scope: String,
    /// The key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
}

impl IdempotencyKey {
    /// The key of exactly this `request`: another one under the same key is refused.
    pub fn new(scope: impl Into<String>, key: impl Into<String>, request: impl AsRef<[u8]>) -> Self {
        let mut request_hash = [0; 32];
        request_hash.copy_from_slice(digest(&SHA256, request.as_ref()).as_ref());
        Self {
            scope: scope.into(),
            key: key.into(),
            request_hash,
        }
    }

    /// A key that no one else has, for a command whose caller brought none. It still makes the log's own retries safe.
    pub fn unique() -> Self {
        let key = Uuid::now_v7().to_string();
        Self::new("unkeyed", key.clone(), key)
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
    /// The claims that it releases and takes.
    pub claims: Claims,
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
            + 256 * self.claims.steps()
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
    /// Whether that it was not is only most likely: the database's answer was lost, and when the command was sent again
    /// its key had been used, with this very response. Then nobody may go on with what he believes to have recorded.
    pub in_doubt: bool,
}
