//! The simulated read database: a checkpoint and rows that move together, and a shadow of both for a rebuild.

use envelope::{Fingerprint, Mark, Position, RecordedEvent};
use uuid::Uuid;

use crate::log::Life;
use crate::mutation::Mutation;
use crate::world::World;

#[derive(Default)]
pub(crate) struct ReadDatabase {
    pub(crate) live: Option<Tables>,
    pub(crate) beside: Option<ShadowSchema>,
    pub(crate) old: Option<Tables>,
    /// The furthest the live tables were, as history and position: a reader must never see them go back.
    furthest: (usize, u64),
}

/// A checkpoint, and rows: here the number of each event that was applied, in order.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) epoch: Uuid,
    pub(crate) position: Position,
    /// Of the event at the checkpoint.
    pub(crate) fingerprint: Option<Fingerprint>,
    rows: Vec<u64>,
}

/// Tables that are being rebuilt.
pub(crate) struct ShadowSchema {
    pub(crate) tables: Tables,
    /// Ranges that are copied in parallel, one after the other in the log.
    pub(crate) parts: Vec<Vec<RecordedEvent>>,
}

impl Tables {
    pub(crate) fn new(epoch: Uuid) -> Self {
        let (position, fingerprint, rows) = (Position::START, None, Vec::new());
        Self {
            epoch,
            position,
            fingerprint,
            rows,
        }
    }

    /// Where they stand.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            position: self.position,
            fingerprint: self.fingerprint,
        }
    }

    /// Moves the checkpoint from `from`; false if it is elsewhere.
    pub(crate) fn move_checkpoint(&mut self, world: &World, from: Position, to: Mark, epoch: Uuid) -> bool {
        let stands_there = self.position == from && self.epoch == epoch;
        if stands_there || world.has(Mutation::IgnoreTheCheckpoint) {
            self.position = to.position;
            let known = !world.has(Mutation::ForgetTheFingerprint);
            self.fingerprint = to.fingerprint.filter(|_| known);
            return true;
        }
        false
    }

    /// Applies events, and watches that each followed the one before in the log while it had this epoch. Events that did
    /// were in one branch of the log from the beginning: branches part once and never meet again.
    pub(crate) fn apply(&mut self, world: &World, events: &[RecordedEvent]) {
        let log = world.log.borrow();
        for event in events {
            let due = self.rows.len() as u64 + 1;
            let last = self.rows.last().copied();
            let follows = log.branches(self.epoch).any(|branch| {
                let number = |place| branch.at(place).map(|event| event.sequence);
                number(due) == Some(event.sequence) && number(due - 1) == last
            });
            if !follows {
                world.violated(|| {
                    let (position, epoch) = (event.position, log.number(self.epoch));
                    format!("applied an event of position {position} where {due} of epoch {epoch} was due")
                });
            }
            self.rows.push(event.sequence);
        }
    }

    /// Applies events to tables without readers: they are checked when they go live.
    pub(crate) fn apply_unseen(&mut self, events: &[RecordedEvent]) {
        self.rows.extend(events.iter().map(|event| event.sequence));
    }

    /// Whether they are what a replay of the log in their epoch gave at some time.
    pub(crate) fn check(&self, world: &World, which: &str) {
        let log = world.log.borrow();
        if !log.branches(self.epoch).any(|branch| self.is_replay_of(branch)) {
            world.violated(|| {
                let (rows, position) = (self.rows.len(), self.position);
                format!("the {which} tables have {rows} rows at checkpoint {position}, not those of a replay")
            });
        }
    }

    /// Whether they equal a replay of this history.
    pub(crate) fn is_replay_of(&self, life: &Life) -> bool {
        let count = usize::try_from(self.position.get()).unwrap();
        let replay = life.events.iter().map(|event| event.sequence);
        self.rows.len() == count && replay.take(count).eq(self.rows.iter().copied())
    }
}

impl ReadDatabase {
    /// The rows of the checkpoint are there, no more and no fewer, and no reader saw it go back.
    pub(crate) fn check_live(&mut self, world: &World) {
        let Some(live) = &self.live else { return };
        if live.rows.len() as u64 != live.position.get() {
            world.violated(|| format!("{} rows at checkpoint {}", live.rows.len(), live.position));
        }
        let stands = (world.log.borrow().number(live.epoch), live.position.get());
        if stands < self.furthest {
            world.violated(|| {
                let (furthest, stands) = (self.furthest, stands);
                format!("the live tables went back from (epoch, position) {furthest:?} to {stands:?}")
            });
        }
        self.furthest = stands;
    }

    /// Starts over in another epoch, if the checkpoint is still in the old one.
    pub(crate) fn start_over(&mut self, world: &World, old: Uuid, new: Uuid) -> bool {
        let Some(live) = self.live.as_mut().filter(|live| live.epoch == old) else {
            return false;
        };
        if world.has(Mutation::KeepTheRows) {
            live.epoch = new;
            live.position = Position::START;
            live.fingerprint = None;
        } else {
            *live = Tables::new(new);
        }
        self.check_live(world);
        true
    }

    /// Puts the rebuilt tables in the place of the live ones. They must be what a replay gives, and not be behind.
    pub(crate) fn swap(&mut self, world: &World) -> bool {
        let Some(beside) = self.beside.take() else {
            return false;
        };
        beside.tables.check(world, "rebuilt");
        self.old = self.live.replace(beside.tables);
        self.check_live(world);
        world.count(|counts| counts.swaps += 1);
        true
    }

    /// Takes the tables from before the last swap, if they are of the log's epoch. They may be behind: that is intended.
    pub(crate) fn roll_back(&mut self, world: &World) -> bool {
        let head = world.log.borrow().now().epoch;
        let same = self.live.is_some() && self.old.as_ref().is_some_and(|old| old.epoch == head);
        if same {
            std::mem::swap(&mut self.live, &mut self.old);
            self.furthest = (0, 0);
            self.check_live(world);
            world.count(|counts| counts.rollbacks += 1);
        }
        same
    }
}
