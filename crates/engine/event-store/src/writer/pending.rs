//! A command that waits for its answer.

use std::time::Instant;

use metrics::counter;
use tokio::sync::oneshot;

use crate::append::{Append, Appended};
use crate::error::AppendError;
use crate::metrics::APPEND_TOTAL;
use crate::vault::DataKey;

pub(super) type Reply = Result<Appended, AppendError>;

pub(super) struct Pending {
    pub(super) append: Append,
    /// The keys that its personal data is sealed with.
    pub(super) keys: Vec<DataKey>,
    /// The hash of the request as it was made without a vault.
    pub(super) former: Option<[u8; 32]>,
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// Refuses every command of a batch.
pub(super) fn refuse(batch: Vec<Pending>, error: &AppendError) {
    for pending in batch {
        respond(pending.reply, Err(error.clone()));
    }
}

/// Answers a command and counts its outcome.
pub(super) fn respond(reply: oneshot::Sender<Reply>, outcome: Reply) {
    let label = match &outcome {
        Ok(appended) if appended.replayed => "duplicate",
        Ok(_) => "appended",
        Err(AppendError::Conflict(_)) => "conflict",
        Err(AppendError::ClaimTaken(_)) => "taken",
        Err(AppendError::KeyReused) => "reused",
        Err(AppendError::Unstorable(_)) => "unstorable",
        Err(AppendError::Unavailable(_)) => "unavailable",
    };
    counter!(APPEND_TOTAL, "outcome" => label).increment(1);
    // A caller that is gone gets its answer when it sends its key again.
    let _ = reply.send(outcome);
}
