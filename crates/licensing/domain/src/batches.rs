//! Batches: how far the items of one are done. What an item asks is judged by the aggregate that it is about.

use events::{BatchEvent, BatchItemsDone, BatchSubmitted, ItemResult, aggregate_type};
use serde::{Deserialize, Serialize};
use vocabulary::{BatchKind, BatchStatus, ItemOutcome};

use crate::aggregate::aggregate;
use crate::refusal::{Refusal, Rule};

/// Most items of one batch.
pub const MAX_ITEMS: u32 = 10_000;

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    submitted: Option<BatchSubmitted>,
    succeeded: u32,
    failed: u32,
}

/// What a batch can be asked to do.
#[derive(Clone, Debug)]
pub enum BatchCommand {
    /// Take a batch whose items are all received.
    Submit(BatchSubmitted),
    /// Note what became of these items. Noted again, it changes nothing.
    NoteDone(BatchItemsDone),
}

aggregate!(Batch: aggregate_type::BATCH, BatchCommand => BatchEvent);

impl Batch {
    /// What was submitted.
    pub const fn submitted(&self) -> Option<&BatchSubmitted> {
        self.submitted.as_ref()
    }

    /// What its items are.
    pub fn kind(&self) -> Option<BatchKind> {
        self.submitted.as_ref().map(|submitted| submitted.kind)
    }

    /// How many items there are.
    pub fn total(&self) -> u32 {
        self.submitted.as_ref().map_or(0, |submitted| submitted.total)
    }

    /// How many items, from the first on, are done or have failed.
    pub const fn done(&self) -> u32 {
        self.succeeded + self.failed
    }

    /// Where it is.
    pub fn status(&self) -> BatchStatus {
        if self.done() < self.total() {
            BatchStatus::Running
        } else {
            BatchStatus::Done
        }
    }

    fn decide(&self, command: BatchCommand) -> Result<Option<BatchEvent>, Refusal> {
        match command {
            BatchCommand::Submit(_) if self.submitted.is_some() => Err(Refusal::Exists),
            BatchCommand::Submit(submitted) if !(1..=MAX_ITEMS).contains(&submitted.total) => {
                Err(Refusal::field("/items", Rule::ItemCount))
            }
            BatchCommand::Submit(submitted) => Ok(Some(submitted.into())),
            BatchCommand::NoteDone(done) => self.note(done),
        }
    }

    /// Items are noted in their order and without a gap: so their number says which ones are left.
    fn note(&self, done: BatchItemsDone) -> Result<Option<BatchEvent>, Refusal> {
        let count = u32::try_from(done.results.len()).unwrap_or(u32::MAX);
        let last = (done.first - done.first.min(1)).saturating_add(count);
        if count == 0 || last <= self.done() {
            return Ok(None);
        }
        if done.first != self.done() + 1 || last > self.total() {
            return Err(Refusal::Unknown);
        }
        Ok(Some(done.into()))
    }

    fn evolve(&mut self, event: BatchEvent) {
        match event {
            BatchEvent::BatchSubmitted(submitted) => self.submitted = Some(submitted),
            BatchEvent::BatchItemsDone(done) => {
                let failed = |result: &&ItemResult| result.outcome == ItemOutcome::Failed;
                let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
                let failures = count(done.results.iter().filter(failed).count());
                self.failed += failures;
                self.succeeded += count(done.results.len()) - failures;
            }
        }
    }
}

#[cfg(test)]
mod tests;
