//! Which events a subscription takes, from the stream or the log, and when.

use std::time::{Duration, Instant};

use envelope::{Fingerprint, LogHead, LogPage, Mark, Position, RecordedEvent};
use uuid::Uuid;

use super::continuity::{Continuity, Verdict};
use super::patience::{Patience, Situation};
use crate::catch_up::{CatchUpCounts, CatchUpError};
use crate::message::{Arrived, Untrusted};

/// The check of an arriving event: [`Continuity::check`], or a mutant of it in the simulation.
pub type Judge = fn(&mut Continuity, Position) -> Verdict;

/// The state of a subscription.
///
/// Its driver begins with [`CatchUpCore::begin_run`], hands in arrived messages while [`CatchUpCore::wants_message`], takes
/// the run if there is one, and otherwise executes [`CatchUpCore::next`].
#[derive(Debug)]
pub struct CatchUpCore {
    epoch: Uuid,
    seen: Continuity,
    /// Fingerprint of the last event taken; none if it is not known.
    fingerprint: Option<Fingerprint>,
    judge: Judge,
    run: Vec<RecordedEvent>,
    /// An event that came before its predecessors, or does not name the last one taken as its predecessor.
    early: Option<Arrived>,
    /// A message was not published from this log, so the log is read.
    mistrust: bool,
    head: Position,
    patience: Patience,
    log_problem: Option<String>,
    counts: CatchUpCounts,
}

/// What to do when the stream gave no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the log.
    ReadLog {
        /// After this position: the one before the last event taken, so that the page shows whether the log still holds it.
        after: Position,
        /// The most events to read, that one included.
        limit: u32,
    },
    /// Wait for a message or a new head, but not longer than this.
    WaitUntil(Instant),
}

impl CatchUpCore {
    /// A subscription to everything after `after` in the epoch `epoch` of the log. The stream gets `grace` to deliver what
    /// the log is known to hold; the log is read every `poll` in any case.
    pub fn new(after: Mark, epoch: Uuid, grace: Duration, poll: Duration, now: Instant) -> Self {
        Self {
            epoch,
            seen: Continuity::after(after.position),
            fingerprint: after.fingerprint,
            judge: Continuity::check,
            run: Vec::new(),
            early: None,
            mistrust: false,
            head: after.position,
            patience: Patience::new(grace, poll, now),
            log_problem: None,
            counts: CatchUpCounts::default(),
        }
    }

    /// With pauses that are drawn from this seed, so that they can be repeated.
    #[must_use]
    pub fn with_jitter_seed(mut self, seed: u64) -> Self {
        self.patience = self.patience.with_jitter_seed(seed);
        self
    }

    /// With another judge, whose mistakes a test must notice.
    #[must_use]
    pub fn judged_by(mut self, judge: Judge) -> Self {
        self.judge = judge;
        self
    }

    /// The epoch of the log that it reads.
    pub fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The last position taken.
    pub fn last(&self) -> Position {
        self.seen.last()
    }

    /// The last event taken.
    pub fn mark(&self) -> Mark {
        Mark {
            position: self.seen.last(),
            fingerprint: self.fingerprint,
        }
    }

    /// The furthest position known to exist.
    pub fn head(&self) -> Position {
        self.head
    }

    /// What it has done so far, without the opened consumers.
    pub fn counts(&self) -> CatchUpCounts {
        self.counts
    }

    /// Why the log can't be read.
    pub fn log_problem(&self) -> Option<&str> {
        self.log_problem.as_deref()
    }

    /// Begins a run, with the early event if it is next now. Returns the number of messages taken.
    pub fn begin_run(&mut self) -> usize {
        if let Some(arrived) = self.early.take() {
            self.admit(arrived);
        }
        self.run.len()
    }

    /// Whether a message can be taken. Not while an early event waits: what comes after it can't be taken before it.
    pub fn wants_message(&self) -> bool {
        self.early.is_none()
    }

    /// A message arrived.
    pub fn message(&mut self, message: Result<Arrived, Untrusted>) {
        if let Ok(arrived) = message {
            self.admit(arrived);
            // Nothing was early before: a message is only taken then.
            match &self.early {
                Some(early) if early.event.position == self.last().next() => self.counts.unlinked += 1,
                Some(_) => self.counts.gaps_found += 1,
                None => {}
            }
        } else {
            self.counts.untrusted += 1;
            self.mistrust = true;
        }
    }

    /// The run that came over the stream, if any.
    pub fn take_run(&mut self, now: Instant) -> Option<Vec<RecordedEvent>> {
        if self.run.is_empty() {
            return None;
        }
        self.patience.stream_delivered();
        self.counts.from_stream += self.run.len() as u64;
        let run = std::mem::take(&mut self.run);
        self.handed_out(now);
        Some(run)
    }

    /// Notes the head of the log, if the head watch has one.
    pub fn note_head(&mut self, head_watch: Option<Position>, now: Instant) {
        self.head = self.head.max(head_watch.unwrap_or_default());
        self.patience.note(self.head > self.last(), now);
    }

    /// What to do when the stream gave no event. `stream_is_promising`: it is read, or being opened for the first time.
    pub fn next(&self, stream_is_promising: bool, max: usize, now: Instant) -> Next {
        let situation = Situation {
            needs_log: self.needs_log(),
            stream_is_promising,
        };
        match self.patience.due_at(situation) {
            Some(due) if due > now => Next::WaitUntil(due),
            _ => {
                let (after, limit) = self.mark().reading(self.limit(max));
                Next::ReadLog { after, limit }
            }
        }
    }

    /// The log answered. Returns its events if there are any, or why the subscription can't go on.
    pub fn log_answered(
        &mut self,
        mut page: LogPage,
        stream_is_promising: bool,
        now: Instant,
    ) -> Result<Option<Vec<RecordedEvent>>, CatchUpError> {
        let (head, last) = (page.head, self.last());
        if head.epoch != self.epoch {
            return Err(CatchUpError::EpochChanged {
                expected: self.epoch,
                found: head.epoch,
            });
        }
        self.mark().prove(&mut page)?;
        for event in &page.events {
            let missing = self.last().next();
            if self.seen.check(event.position) != Verdict::Next {
                self.seen = Continuity::after(last);
                return Err(CatchUpError::LogBroken {
                    missing,
                    found: event.position,
                });
            }
        }
        self.log_gave(head, page.events.len(), stream_is_promising, now);
        let Some(newest) = page.events.last() else {
            return Ok(None);
        };
        self.fingerprint = Some(Fingerprint::of(newest));
        self.counts.from_log += page.events.len() as u64;
        self.handed_out(now);
        Ok(Some(page.events))
    }

    /// The log could not be read.
    pub fn log_failed(&mut self, problem: String, now: Instant) {
        self.patience.log_failed(now);
        self.log_problem = Some(problem);
    }

    fn needs_log(&self) -> bool {
        self.early.is_some() || self.mistrust
    }

    /// Up to the early event, which has arrived. If it is the next one, it is read from the log too.
    fn limit(&self, max: usize) -> u32 {
        let through_early = self
            .early
            .as_ref()
            .map(|early| (early.event.position.since(self.last()) - 1).max(1));
        let limit = through_early.map_or(max, |count| {
            usize::try_from(count).map_or(max, |count| count.min(max))
        });
        u32::try_from(limit).unwrap_or(u32::MAX)
    }

    fn admit(&mut self, arrived: Arrived) {
        let position = arrived.event.position;
        if position == self.last().next() && !self.mark().precedes(position, arrived.previous) {
            self.early = Some(arrived);
            return;
        }
        match (self.judge)(&mut self.seen, position) {
            Verdict::Next => {
                self.fingerprint = Some(Fingerprint::of(&arrived.event));
                self.run.push(arrived.event);
            }
            Verdict::Old => {
                self.patience.stream_delivered();
                self.counts.dropped_old += 1;
            }
            Verdict::Gap => self.early = Some(arrived),
        }
    }

    fn log_gave(&mut self, head: LogHead, count: usize, stream_is_promising: bool, now: Instant) {
        self.log_problem = None;
        self.head = self.head.max(head.position);
        let needed = self.needs_log();
        if count == 0 {
            self.patience
                .log_had_nothing(needed || self.head > self.last(), now);
        } else {
            self.patience.log_gave(stream_is_promising && !needed);
        }
        match self.early.as_ref().map(|early| early.event.position) {
            Some(early) if count > 0 && early == self.last().next() => self.counts.gaps_refilled += 1,
            // The log has given this event.
            Some(early) if count > 0 && early <= self.last() => self.early = None,
            // The log was read after the event arrived and does not hold it: it is not the log's.
            Some(early) if count == 0 && early == self.last().next() => {
                self.early = None;
                self.counts.untrusted += 1;
            }
            _ => {}
        }
        self.mistrust = false;
    }

    fn handed_out(&mut self, now: Instant) {
        self.head = self.head.max(self.last());
        self.patience.progressed(self.head > self.last(), now);
    }
}
