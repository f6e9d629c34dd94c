//! Which messages a publisher may send, and which are known to be in the stream.

use envelope::{Fingerprint, Mark, Position, RecordedEvent};
use uuid::Uuid;

use crate::previous::PreviousPositions;

/// The state of a publisher: what was acknowledged, what is in flight, and whether both are known.
///
/// Its driver sends what [`PublisherCore::send`] allows, hands in each acknowledgement in the order of sending, and
/// calls [`PublisherCore::interrupted`] on any error. After that nothing is sent until [`PublisherCore::resumed`] gives the
/// stream's last sequence.
#[derive(Clone, Debug)]
pub struct PublisherCore {
    max_in_flight: usize,
    last: Position,
    sent: Position,
    epoch: Uuid,
    previous: PreviousPositions,
    /// The last event sent.
    before: Mark,
    resumed: bool,
}

/// What goes with a message besides the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The stream accepts the message only as the successor of this sequence.
    pub expected_last: Position,
    /// The position before it in its partition.
    pub previous_in_partition: Position,
    /// The event before it in the log, if it is known.
    pub previous: Option<Fingerprint>,
    /// The epoch of the log.
    pub epoch: Uuid,
}

/// Why nothing more may be sent before resuming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The label for metrics.
    pub kind: &'static str,
    /// What happened.
    pub reason: String,
}

impl PublisherCore {
    /// A publisher that must be resumed first. At most `max_in_flight` messages wait for their acknowledgement at a time.
    pub fn new(max_in_flight: usize) -> Self {
        Self {
            max_in_flight,
            last: Position::START,
            sent: Position::START,
            epoch: Uuid::nil(),
            previous: PreviousPositions::default(),
            before: Mark::START,
            resumed: false,
        }
    }

    /// The stream carries this epoch of the log and ends at `last`; `previous` is what came last in each partition
    /// up to there.
    pub fn resumed(&mut self, last: Mark, epoch: Uuid, previous: PreviousPositions) {
        (self.last, self.sent) = (last.position, last.position);
        (self.before, self.epoch, self.previous) = (last, epoch, previous);
        self.resumed = true;
    }

    /// Something failed: what is in the stream has to be looked up.
    pub fn interrupted(&mut self) {
        self.resumed = false;
    }

    /// The last position known to be in the stream.
    pub fn last(&self) -> Position {
        self.last
    }

    /// The last event sent: what is sent next follows it.
    pub fn before(&self) -> Mark {
        self.before
    }

    /// How many messages wait for their acknowledgement.
    pub fn in_flight(&self) -> u64 {
        self.sent.since(self.last)
    }

    /// Whether another message may be sent before an acknowledgement comes.
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.max_in_flight as u64
    }

    /// Refuses events that were read in another epoch of the log than the stream carries: its events must not
    /// be sent as if they belonged to this one.
    pub fn check_epoch(&self, read: Uuid) -> Result<(), Stop> {
        self.check_resumed()?;
        if read == self.epoch {
            return Ok(());
        }
        let reason = format!("the log is in epoch {read}, the stream carries {}", self.epoch);
        Err(Stop {
            kind: "epoch_changed",
            reason,
        })
    }

    /// Whether anything may be sent at all.
    pub fn check_resumed(&self) -> Result<(), Stop> {
        if self.resumed {
            return Ok(());
        }
        Err(Stop {
            kind: "not_resumed",
            reason: "resume first".into(),
        })
    }

    /// Allows an event to be sent, if it is the next one.
    pub fn send(&mut self, event: &RecordedEvent) -> Result<Outgoing, Stop> {
        self.check_resumed()?;
        let expected = self.sent.next();
        if event.position != expected {
            return Err(Stop {
                kind: "out_of_order",
                reason: format!("{} where {expected} was due", event.position),
            });
        }
        let outgoing = Outgoing {
            expected_last: self.sent,
            previous_in_partition: self.previous.replace(event),
            previous: self.before.fingerprint,
            epoch: self.epoch,
        };
        self.sent = expected;
        self.before = Mark::of(event);
        Ok(outgoing)
    }

    /// The server took the oldest message in flight, at this sequence.
    pub fn acknowledged(&mut self, sequence: u64) -> Result<(), Stop> {
        let position = self.last.next();
        if sequence != position.get() {
            return Err(Stop {
                kind: "wrong_last_sequence",
                reason: format!("{position} was stored as {sequence}"),
            });
        }
        self.last = position;
        Ok(())
    }
}
