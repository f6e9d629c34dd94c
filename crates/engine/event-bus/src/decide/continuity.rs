//! The rule that proves a consumer missed nothing, without any I/O.

use envelope::Position;

/// The place of an arriving event relative to the last one that a consumer has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The very next one: take it.
    Next,
    /// Seen already: drop it.
    Old,
    /// Events are missing before it: read them from the log first.
    Gap,
}

/// How far a consumer has come, and what may follow.
///
/// Every event names its predecessor, in the whole log (`position - 1`) or in its partition (the `prev-position`
/// header). An event whose predecessor is the last one seen leaves no room for a missed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuity {
    last: Position,
}

impl Continuity {
    /// A consumer that has seen everything up to and including `last`.
    pub const fn after(last: Position) -> Self {
        Self { last }
    }

    /// The last event seen.
    pub const fn last(self) -> Position {
        self.last
    }

    /// Judges an event of the whole log, and moves on if it is the next one.
    pub fn check(&mut self, position: Position) -> Verdict {
        self.check_link(position, Position::new(position.get().saturating_sub(1)))
    }

    /// Judges an event that names its predecessor, and moves on if it is the next one.
    ///
    /// A link that can't be (a predecessor at or after the event, or one older than what was seen) is a
    /// [`Verdict::Gap`]: the log has the answer.
    pub fn check_link(&mut self, position: Position, previous: Position) -> Verdict {
        if position <= self.last {
            Verdict::Old
        } else if previous == self.last {
            self.last = position;
            Verdict::Next
        } else {
            Verdict::Gap
        }
    }
}

#[cfg(test)]
mod tests {
    use envelope::Position;
    use proptest::prelude::*;

    use super::{Continuity, Verdict};

    #[test]
    fn only_the_successor_is_next() {
        let mut seen = Continuity::after(Position::new(4));
        assert_eq!(seen.check(Position::new(4)), Verdict::Old);
        assert_eq!(seen.check(Position::new(6)), Verdict::Gap);
        assert_eq!(seen.check(Position::new(0)), Verdict::Old);
        assert_eq!(seen.check(Position::new(5)), Verdict::Next);
        assert_eq!(seen.last(), Position::new(5));
    }

    #[test]
    fn a_partition_link_from_nowhere_is_a_gap() {
        let mut seen = Continuity::after(Position::new(10));
        assert_eq!(seen.check_link(Position::new(20), Position::new(9)), Verdict::Gap);
        assert_eq!(
            seen.check_link(Position::new(20), Position::new(30)),
            Verdict::Gap
        );
        assert_eq!(
            seen.check_link(Position::new(20), Position::new(10)),
            Verdict::Next
        );
    }

    proptest! {
        /// For arrivals in any order, the taken events are 1, 2, 3 … and include every event that arrived with all its
        /// predecessors.
        #[test]
        fn what_is_taken_has_no_hole(arrivals in prop::collection::vec(1_u64..40, 0..200)) {
            let mut seen = Continuity::after(Position::START);
            let mut taken = Vec::new();
            for arrival in arrivals {
                match seen.check(Position::new(arrival)) {
                    Verdict::Next => taken.push(arrival),
                    Verdict::Old => prop_assert!(taken.contains(&arrival)),
                    Verdict::Gap => prop_assert!(arrival > taken.len() as u64 + 1),
                }
            }
            let expected: Vec<u64> = (1..=taken.len() as u64).collect();
            prop_assert_eq!(taken, expected);
        }

        /// A partition is any subset of the log, each event naming the one before it. Losing any of them shows at
        /// the next one that arrives, and a repeated one is never taken twice.
        #[test]
        fn a_lost_event_of_a_partition_shows_at_the_next(
            positions in prop::collection::btree_set(1_u64..10_000, 1..60),
            fates in prop::collection::vec(0_u8..10, 60),
        ) {
            let mut seen = Continuity::after(Position::START);
            let (mut previous, mut lost) = (Position::START, false);
            for (position, fate) in positions.into_iter().map(Position::new).zip(fates) {
                if fate == 0 {
                    lost = true;
                } else {
                    let expected = if lost { Verdict::Gap } else { Verdict::Next };
                    prop_assert_eq!(seen.check_link(position, previous), expected);
                    if lost {
                        // What the log gives back in place of the lost ones.
                        seen = Continuity::after(position);
                        lost = false;
                    }
                    prop_assert_eq!(seen.check_link(position, previous), Verdict::Old);
                }
                previous = position;
            }
        }
    }
}
