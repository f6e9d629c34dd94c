//! The commands of the process managers: as themselves, because of an event, under a key that repeats.

use domain::Refusal;
use envelope::Metadata;
use event_store::{CommandError, CommandRequest, IdempotencyKey, Task};
use uuid::Uuid;

use super::kinds::{self, PROCESS};

/// The outcome of one attempt at a task.
pub(crate) enum Outcome {
    /// Nothing is left to do.
    Done,
    /// To be looked at again then.
    Later(chrono::DateTime<chrono::Utc>),
    /// To be tried again then, as one attempt more, because of this. Holds no personal data.
    Again(chrono::DateTime<chrono::Utc>, String),
}

/// Why an attempt at a task failed. Holds no personal data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The log or a rule refused the command.
    #[error("command: {0}")]
    Command(#[from] CommandError<Refusal>),
    /// The log could not be read.
    #[error("log: {0}")]
    Log(#[from] event_store::Error),
    /// The event that led to the task can't be read.
    #[error("event: {0}")]
    Decode(#[from] envelope::DecodeError),
    /// A person could not be forgotten.
    #[error("erasure: {0}")]
    Erase(#[from] crate::erasure::EraseError),
    /// The order was placed with a provider that this process has no credentials for.
    #[error("the payment provider {0} is not configured")]
    NotConfigured(String),
    /// An item of a batch could be neither done nor refused.
    #[error("batch: {0}")]
    Item(#[from] crate::batches::problems::NotNow),
    /// The payment provider failed or refused.
    #[error("provider: {0}")]
    Provider(#[from] payments::Error),
    /// The provider answered with success, and its sums are not the expected ones.
    #[error("the provider reports {found_ore} øre where {expected_ore} were due")]
    Amount {
        /// What was due.
        expected_ore: i64,
        /// What the provider reports.
        found_ore: i64,
    },
}

/// A command of the process manager because of `task`'s event.
pub(super) fn call<C>(aggregate_id: Uuid, command: C, key: IdempotencyKey, task: &Task) -> CommandRequest<C> {
    CommandRequest {
        aggregate_id,
        command,
        key,
        metadata: metadata(task),
        expected_version: None,
        creates: false,
    }
}

/// Who and what led to what follows from `task`.
pub(crate) fn metadata(task: &Task) -> Metadata {
    Metadata {
        request_id: task.request_id.clone(),
        correlation_id: task.correlation_id.clone(),
        causation_position: Some(task.position),
        actor_role: None,
        actor: Some(format!("process:{}", kinds::general(&task.kind))),
        traceparent: None,
    }
}

/// The key of one step: the same event always leads to the same step, on the same aggregate.
pub(super) fn key(task: &Task, step: &str) -> IdempotencyKey {
    let (kind, id) = (&task.kind, task.aggregate_id);
    IdempotencyKey::new(
        format!("process:{PROCESS}:{kind}"),
        format!("{}:{step}", task.position),
        format!("{kind} {id} {step}"),
    )
}
