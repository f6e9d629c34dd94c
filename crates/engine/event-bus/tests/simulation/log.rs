//! The simulated log: one history after another, each a prefix of the one before and what came after. A history that
//! begins without a new epoch is a branch of the one before: a standby that was promoted with fewer events.

use chrono::{DateTime, Utc};
use envelope::{
    LogError, LogHead, LogPage, LogReader, Metadata, PARTITIONS, Position, RecordedEvent, partition,
};
use uuid::Uuid;

/// All histories, the present one last.
pub(crate) struct Log {
    lives: Vec<Life>,
    /// How many events were ever recorded: each gets a number of its own, which identifies it.
    recorded: u64,
    /// How often it was cut back without a new epoch.
    silent: u64,
}

/// What was in the log from one restore, or one new epoch, to the next.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) epoch: Uuid,
    pub(crate) events: Vec<RecordedEvent>,
    /// For each event, what came before it in its partition.
    pub(crate) previous: Vec<Position>,
    last_in_partition: [Position; PARTITIONS as usize],
}

impl Log {
    pub(crate) fn new() -> Self {
        let life = Life {
            epoch: epoch(0),
            events: Vec::new(),
            previous: Vec::new(),
            last_in_partition: Default::default(),
        };
        Self {
            lives: vec![life],
            recorded: 0,
            silent: 0,
        }
    }

    pub(crate) fn append(&mut self, aggregate: u64) -> Position {
        self.recorded += 1;
        let number = self.recorded;
        let life = self.lives.last_mut().unwrap();
        let event = event(life.events.len() as u64 + 1, aggregate, number);
        let position = event.position;
        life.push(event);
        position
    }

    /// As a restore from a backup: cut back, in a new epoch.
    pub(crate) fn restore(&mut self, to: u64) {
        self.cut_back(to, epoch(self.lives.len()));
    }

    /// A promoted standby that lacks the last events: the log is shorter and its epoch is the same.
    pub(crate) fn step_back(&mut self, to: u64) {
        self.silent += u64::from(to < self.now().head().position.get());
        self.cut_back(to, self.now().epoch);
    }

    /// Whether events were ever lost without a new epoch.
    pub(crate) fn stepped_back(&self) -> bool {
        self.silent > 0
    }

    /// A new epoch where the log stands, unless `ends` has ended already.
    pub(crate) fn begin_epoch(&mut self, ends: Uuid) -> bool {
        let ended = self.now().epoch != ends;
        if !ended {
            self.restore(self.now().head().position.get());
        }
        !ended
    }

    fn cut_back(&mut self, to: u64, epoch: Uuid) {
        let old = self.now();
        let mut life = Life {
            epoch,
            events: Vec::new(),
            previous: Vec::new(),
            last_in_partition: Default::default(),
        };
        let kept = old.events.iter().take(usize::try_from(to).unwrap());
        kept.for_each(|event| life.push(event.clone()));
        self.lives.push(life);
    }

    pub(crate) fn now(&self) -> &Life {
        self.lives.last().unwrap()
    }

    /// Which history has this epoch first, counted from 0.
    pub(crate) fn number(&self, epoch: Uuid) -> usize {
        let found = self.lives.iter().position(|life| life.epoch == epoch);
        found.expect("every epoch is of some life")
    }

    /// Everything that the log was while it had this epoch.
    pub(crate) fn branches(&self, epoch: Uuid) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(move |life| life.epoch == epoch)
    }
}

impl Life {
    pub(crate) fn head(&self) -> LogHead {
        LogHead {
            position: Position::new(self.events.len() as u64),
            epoch: self.epoch,
        }
    }

    pub(crate) fn after(&self, after: Position, limit: u32) -> Vec<RecordedEvent> {
        let rest = self.events.iter().skip(usize::try_from(after.get()).unwrap());
        rest.take(limit as usize).cloned().collect()
    }

    pub(crate) fn page(&self, after: Position, limit: u32) -> LogPage {
        LogPage {
            head: self.head(),
            events: self.after(after, limit),
        }
    }

    pub(crate) fn at(&self, position: u64) -> Option<&RecordedEvent> {
        let index = usize::try_from(position.checked_sub(1)?).unwrap();
        self.events.get(index)
    }

    fn push(&mut self, event: RecordedEvent) {
        let last = &mut self.last_in_partition[usize::from(partition(event.aggregate_id))];
        self.previous.push(std::mem::replace(last, event.position));
        self.events.push(event);
    }
}

/// For what reads the log by itself, at one moment.
impl LogReader for Life {
    async fn head(&self) -> Result<LogHead, LogError> {
        Ok(Self::head(self))
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.after(after, limit))
    }
}

fn epoch(number: usize) -> Uuid {
    Uuid::from_u128(0xE0_0000 + number as u128)
}

/// An event whose `sequence` identifies it, also among events at the same place in other histories.
pub(crate) fn event(position: u64, aggregate: u64, number: u64) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(position),
        aggregate_type: String::new(),
        aggregate_id: Uuid::from_u128(u128::from(aggregate) * 7_919),
        sequence: number,
        event_type: String::new(),
        event_version: String::new(),
        payload: Box::default(),
        metadata: Metadata::default(),
        recorded_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}
