//! Outcomes of recent commands, so that a repeat costs the database nothing while other commands keep it busy.
//!
//! A repeat is answered from here only after a batch that was sent later came back from the same epoch of the log, so its
//! answer is never older than the database's own. When only repeats wait, one of them is sent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use envelope::Position;
use metrics::counter;
use uuid::Uuid;

use super::pending::{Pending, Reply, respond};
use crate::append::{Appended, IdempotencyKey};
use crate::error::AppendError;
use crate::metrics::APPEND_RECENT_TOTAL;

/// Most bytes of all kept outcomes, about.
const MAX_BYTES: usize = 16 << 20;

pub(super) struct Recent {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    epoch: Option<Uuid>,
    /// The end of the log, as far as it is known.
    head: Position,
    outcomes: HashMap<String, Outcome>,
    /// The oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

struct Outcome {
    request_hash: [u8; 32],
    response: String,
    position: Position,
}

impl Recent {
    /// A memory of at most `most` outcomes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::default(),
        }
    }

    /// Splits a batch into commands to send and repeats to answer afterwards: those whose key is known, or occurs earlier in
    /// the batch.
    pub(super) fn part(&self, batch: Vec<Pending>) -> (Vec<Pending>, Vec<Pending>) {
        let (mut sent, mut repeats) = (Vec::with_capacity(batch.len()), Vec::new());
        let kept = self.kept();
        let mut names = HashSet::with_capacity(batch.len());
        for pending in batch {
            let name = name(&pending.append.key);
            if kept.outcomes.contains_key(&name) || !names.insert(name) {
                repeats.push(pending);
            } else {
                sent.push(pending);
            }
        }
        if sent.is_empty() && !repeats.is_empty() {
            sent.push(repeats.remove(0));
        }
        (sent, repeats)
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    /// The end of the log, as far as it is known.
    pub(super) fn head(&self) -> Position {
        self.kept().head
    }

    /// A batch came back from this epoch of the log, which ended at `base` before it. Forgets everything if the epoch is
    /// another one, or if the log ends before the end that was `known` when the batch was sent.
    pub(super) fn confirm(&self, epoch: Uuid, base: Position, known: Position) {
        let mut kept = self.kept();
        if kept.epoch != Some(epoch) || base < known {
            *kept = Kept {
                epoch: Some(epoch),
                ..Kept::default()
            };
        }
        kept.head = kept.head.max(base);
    }

    /// Keeps the outcome of a committed command, at least until the repeats in its batch are answered.
    pub(super) fn keep(&self, key: &IdempotencyKey, appended: &Appended) {
        let mut kept = self.kept();
        kept.head = kept.head.max(appended.position);
        let name = name(key);
        if kept.outcomes.contains_key(&name) {
            return;
        }
        let outcome = Outcome {
            request_hash: key.request_hash,
            response: appended.response.clone(),
            position: appended.position,
        };
        kept.bytes += weight(&name, &outcome);
        kept.order.push_back(name.clone());
        kept.outcomes.insert(name, outcome);
    }

    /// Answers the repeats whose outcome is known, after a batch that was sent behind them came back. Gives back the
    /// others, and forgets the oldest outcomes if there are too many.
    pub(super) fn answer(&self, repeats: Vec<Pending>) -> Vec<Pending> {
        let mut kept = self.kept();
        let (known, unknown) = repeats
            .into_iter()
            .map(|pending| (kept.reply(&pending.append.key), pending))
            .partition::<Vec<_>, _>(|(reply, _)| reply.is_some());
        kept.forget_beyond(self.most);
        drop(kept);
        for (reply, pending) in known {
            counter!(APPEND_RECENT_TOTAL).increment(1);
            if let Some(reply) = reply {
                respond(pending.reply, reply);
            }
        }
        unknown.into_iter().map(|(_, pending)| pending).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Without panics in between, each change is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_beyond(&mut self, most: usize) {
        while self.order.len() > most || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            if let Some(outcome) = self.outcomes.remove(&oldest) {
                self.bytes -= weight(&oldest, &outcome);
            }
        }
    }

    fn reply(&self, key: &IdempotencyKey) -> Option<Reply> {
        let outcome = self.outcomes.get(&name(key))?;
        if outcome.request_hash != key.request_hash {
            return Some(Err(AppendError::KeyReused));
        }
        Some(Ok(Appended {
            position: outcome.position,
            response: outcome.response.clone(),
            replayed: true,
            in_doubt: false,
        }))
    }
}

/// NUL separates the parts; neither part can hold it.
fn name(key: &IdempotencyKey) -> String {
    format!("{}\0{}", key.scope, key.key)
}

fn weight(name: &str, outcome: &Outcome) -> usize {
    2 * name.len() + outcome.response.len() + 128
}
