//! Of which rows an answer is made, and for how long the clock of the database leaves it true.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use uuid::Uuid;

/// Rows that have a version: the projector writes another one with every change of theirs, in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The projection that they belong to.
    pub projection: &'static str,
    /// The schema of its checkpoint.
    pub schema: &'static str,
    /// Their name among the versions there.
    pub name: &'static str,
}

/// An answer that many readers get, and what it depends on. All SQL in it is constant.
#[derive(Debug)]
pub struct Shared {
    /// Name in keys and metrics.
    pub name: &'static str,
    /// The rows that it is made of. The first are of the projection whose position it has.
    pub of: &'static [Collection],
    /// The next moment at which the same rows give another answer by the clock alone, as an expression; null for none.
    pub changes_at: Option<&'static str>,
}

/// Which rows a collection has. Two equal versions are of the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Epoch of the log.
    pub(crate) epoch: Uuid,
    /// Tells the tables from rebuilt ones.
    pub(crate) tables: Uuid,
    /// A random id for each change of the rows; none before the first.
    pub(crate) rows: Option<Uuid>,
}

/// The time in the database, as it was said once. Machines disagree on the time, so what becomes true by the clock of the
/// database is judged by that clock, and by how long ago it was asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DatabaseClock {
    said: DateTime<Utc>,
    /// Before the question.
    asked: Instant,
}

impl DatabaseClock {
    /// What the database said when it was asked at that moment or later.
    pub(crate) fn read(said: DateTime<Utc>, asked: Instant) -> Self {
        Self { said, asked }
    }

    /// How long ago it was asked.
    pub(crate) fn age(self) -> Duration {
        self.asked.elapsed()
    }

    /// How long it is until `moment`, at least; nothing if it may have come.
    pub(crate) fn until(self, moment: DateTime<Utc>) -> Duration {
        let age = TimeDelta::from_std(self.age()).unwrap_or(TimeDelta::MAX);
        let left = moment.signed_duration_since(self.said).checked_sub(&age);
        left.and_then(|left| left.to_std().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_more_than_the_database_could_have() {
        let said = DateTime::UNIX_EPOCH;
        let asked = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let clock = DatabaseClock::read(said, asked);
        let left = |seconds| clock.until(said + TimeDelta::seconds(seconds));
        assert!(left(3600) > Duration::from_mins(1) && left(3600) <= Duration::from_secs(3598));
        assert_eq!(left(2), Duration::ZERO);
        assert_eq!(left(-5), Duration::ZERO);
        assert_eq!(clock.until(DateTime::<Utc>::MIN_UTC), Duration::ZERO);
        assert!(clock.until(DateTime::<Utc>::MAX_UTC) > Duration::from_mins(1));
    }
}
