//! What is known of how far the rows have come: by looks at the database, and by what it notifies of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::page::Checkpoint;
use crate::version::{DatabaseClock, Version};

/// Which rows there are, as far as is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// How far the rows are.
    pub(crate) position: u64,
    /// Epoch of the log.
    pub(crate) epoch: Uuid,
    pub(crate) tables: Tables,
    /// The time in the database.
    pub(crate) clock: DatabaseClock,
}

impl Known {
    /// The version of a collection.
    pub(crate) fn version(&self, collection: &str) -> Version {
        Version {
            epoch: self.epoch,
            tables: self.tables.id,
            rows: self.tables.versions.get(collection).copied(),
        }
    }
}

/// The tables, and the versions of the collections in them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tables {
    pub(crate) id: Uuid,
    pub(crate) versions: Arc<BTreeMap<String, Uuid>>,
}

/// What was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// The database answers.
    pub(crate) answers: bool,
    /// How far the rows are.
    pub(crate) position: u64,
    /// Of which epoch of the log; nil before the first event.
    pub(crate) epoch: Uuid,
    /// They are of another log, so their position says nothing about this one.
    pub(crate) stale: bool,
    /// How far the log was, at this moment or later.
    pub(crate) head: Option<(u64, Instant)>,
    /// The last moment that is known at which the rows held all of the log.
    pub(crate) whole_at: Option<Instant>,
}

/// How far the rows have come, as far as is known in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The place of the rows in the log.
    pub checkpoint: Checkpoint,
    /// Whether they are of another log than there is now.
    pub stale: bool,
    /// How long ago they held all of the log at last; nothing before that is known.
    pub lag: Option<Duration>,
}

/// What is known of the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Seen,
    /// None while they are not known.
    pub(crate) tables: Option<Tables>,
    /// The last look.
    pub(crate) looked: Option<DatabaseClock>,
}

impl State {
    /// Takes in a notification. True if it does not follow from what is known, so that another look is needed now.
    pub(crate) fn note(&mut self, note: Note) -> bool {
        match note.position {
            Some(position) if position > self.seen.position => {
                self.seen = Seen {
                    position,
                    ..self.seen
                }
                .after(self.seen);
                if let Some(tables) = &mut self.tables
                    && !note.changed.is_empty()
                {
                    Arc::make_mut(&mut tables.versions).extend(note.changed);
                }
                false
            }
            // Older than the last look.
            Some(_) if note.changed.is_empty() => false,
            _ => {
                self.tables = None;
                true
            }
        }
    }

    /// Takes in a look. True if something else is known now. Not the larger of the two positions: a restored log begins
    /// again further back.
    pub(crate) fn look(&mut self, looked: Self) -> bool {
        let seen = looked.seen.after(self.seen);
        let changed = seen != self.seen || looked.tables != self.tables;
        *self = Self { seen, ..looked };
        changed
    }
}

impl Seen {
    /// Whether the rows hold everything up to a position.
    pub(crate) fn holds(&self, position: u64) -> bool {
        position == 0 || (!self.stale && self.position >= position)
    }

    /// What is known now, after what was known before.
    fn after(mut self, before: Self) -> Self {
        let whole = self
            .head
            .filter(|(head, _)| !self.stale && self.position >= *head);
        self.whole_at = whole.map(|(_, at)| at).or(before.whole_at);
        self
    }

    /// Whether the log, looked at later than `since`, ended before `position`.
    pub(crate) fn rules_out(&self, position: u64, since: Instant) -> bool {
        !self.holds(position) && self.head.is_some_and(|(head, at)| at > since && head < position)
    }
}

/// A notification: the position, and the new versions of collections whose rows changed. Without a position it says only
/// that another look is needed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Note {
    position: Option<u64>,
    changed: BTreeMap<String, Uuid>,
}

impl Note {
    pub(crate) fn read(payload: &str) -> Self {
        let (position, changed) = match payload.split_once(' ') {
            Some((position, changed)) => (position, serde_json::from_str(changed).ok()),
            None => (payload, Some(BTreeMap::new())),
        };
        match (position.parse().ok(), changed) {
            (Some(position), Some(changed)) => Self {
                position: Some(position),
                changed,
            },
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests;
