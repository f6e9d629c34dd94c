//! The place of an event in the log.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The place of an event in the log: 1, 2, 3 … in commit order, without a gap. 0 stands before the first event.
///
/// Travels as a bare JSON number, as `bigint` in PostgreSQL and as the stream sequence in JetStream.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself, as JetStream counts.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position as PostgreSQL's `bigint`. The log itself counts in `bigint`, so nothing it gave can be larger;
    /// a number from elsewhere that is saturates, and so lies beyond every event.
    pub fn to_sql(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The position from PostgreSQL's `bigint`. The column's check keeps it from being negative; 0 if it were.
    pub fn from_sql(number: i64) -> Self {
        Self(u64::try_from(number).unwrap_or(0))
    }

    /// How many events lie after `earlier` up to and including this one; 0 if it isn't earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn sql_and_json_keep_the_number() {
        let position = Position::new(42);
        assert_eq!(Position::from_sql(position.to_sql()), position);
        assert_eq!(serde_json::to_string(&position).unwrap(), "42");
        assert_eq!(serde_json::from_str::<Position>("42").unwrap(), position);
        assert_eq!(Position::from_sql(-1), Position::START);
        assert_eq!(Position::new(u64::MAX).to_sql(), i64::MAX);
    }

    #[test]
    fn since_counts_and_never_underflows() {
        assert_eq!(Position::new(7).since(Position::new(4)), 3);
        assert_eq!(Position::new(4).since(Position::new(7)), 0);
    }
}
