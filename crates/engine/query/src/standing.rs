//! Whether a replica takes requests: what speaks against it, and when it is let back. Decisions only, without I/O.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How long an ejected replica must be well before it takes requests again.
const PROBATION: Duration = Duration::from_secs(2);
/// The longest probation of a replica that comes and goes.
const LONGEST_PROBATION: Duration = Duration::from_mins(1);
/// A replica that is ejected again within this time after its return comes and goes.
const STEADY: Duration = Duration::from_mins(1);
/// Steps of the primary that are remembered. A replica that is behind all of them lags by at least their time.
const STEPS: usize = 1024;

/// What speaks against a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It can't be connected to, does not answer, or has no such rows.
    Silent,
    /// It does not have the schema of this build, or was not looked at yet.
    Schema,
    /// Its rows are of another epoch of the log than those of the primary.
    Epoch,
    /// Its rows are those that the primary had this long ago.
    Lagging(Duration),
    /// Several requests in a row failed there.
    Failing,
}

impl Fault {
    /// All names in metrics.
    pub(crate) const NAMES: [&'static str; 5] = ["silent", "schema", "epoch", "lagging", "failing"];

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Schema => "schema",
            Self::Epoch => "epoch",
            Self::Lagging(_) => "lagging",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => formatter.write_str("cannot be read"),
            Self::Schema => formatter.write_str("does not have the schema of this build"),
            Self::Epoch => formatter.write_str("has the rows of another log"),
            Self::Lagging(lag) => write!(formatter, "lags by {} s", lag.as_secs()),
            Self::Failing => formatter.write_str("fails"),
        }
    }
}

/// What a judgement changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Ejected(Fault),
    Returned,
}

/// Whether a replica takes requests.
#[derive(Debug)]
pub(crate) struct Standing {
    state: State,
    probation: Duration,
    returned_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    In,
    Out {
        fault: Fault,
        well_since: Option<Instant>,
    },
}

impl Default for Standing {
    /// Out until it was seen, and then in at once.
    fn default() -> Self {
        Self {
            state: State::Out {
                fault: Fault::Silent,
                well_since: None,
            },
            probation: Duration::ZERO,
            returned_at: None,
        }
    }
}

impl Standing {
    /// What keeps it out; nothing while it takes requests.
    pub(crate) fn ejected_for(&self) -> Option<Fault> {
        match self.state {
            State::In => None,
            State::Out { fault, .. } => Some(fault),
        }
    }

    /// Judges by what speaks against it now.
    pub(crate) fn judge(&mut self, fault: Option<Fault>, now: Instant) -> Option<Change> {
        match (self.state, fault) {
            (State::In, None) => None,
            (State::In, Some(fault)) => {
                let comes_and_goes = self.returned_at.is_some_and(|at| now.duration_since(at) < STEADY);
                self.probation = if comes_and_goes {
                    (self.probation * 2).clamp(PROBATION, LONGEST_PROBATION)
                } else {
                    PROBATION
                };
                self.state = State::Out {
                    fault,
                    well_since: None,
                };
                Some(Change::Ejected(fault))
            }
            (State::Out { .. }, Some(fault)) => {
                self.state = State::Out {
                    fault,
                    well_since: None,
                };
                None
            }
            (State::Out { fault, well_since }, None) => {
                let since = well_since.unwrap_or(now);
                if now.duration_since(since) < self.probation {
                    self.state = State::Out {
                        fault,
                        well_since: Some(since),
                    };
                    return None;
                }
                self.state = State::In;
                self.returned_at = Some(now);
                Some(Change::Returned)
            }
        }
    }
}

/// When the primary was where, so that a distance in the log becomes a time: in a quiet log a replica never lags, however
/// old its last event is.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// When a position was first seen, rising.
    seen: VecDeque<(Instant, u64)>,
    /// When the primary last answered. Time stands still meanwhile: it says nothing against a replica that the primary is away.
    until: Option<Instant>,
}

impl Steps {
    /// The primary answers, and is here.
    pub(crate) fn note(&mut self, position: u64, now: Instant) {
        self.until = Some(now);
        match self.seen.back() {
            Some((_, last)) if *last == position => return,
            // A log that begins again further back: what was before says nothing.
            Some((_, last)) if *last > position => self.seen.clear(),
            _ => {}
        }
        if self.seen.len() == STEPS {
            self.seen.pop_front();
        }
        self.seen.push_back((now, position));
    }

    /// For how long the primary has been beyond a position.
    pub(crate) fn lag(&self, position: u64) -> Duration {
        let beyond = self.seen.partition_point(|(_, seen)| *seen <= position);
        let since = self.seen.get(beyond).map(|(at, _)| *at);
        since
            .zip(self.until)
            .map_or(Duration::ZERO, |(since, until)| until.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_replica_is_in_when_seen_out_at_once_and_back_after_a_while() {
        let begun = Instant::now();
        let mut standing = Standing::default();
        assert_eq!(standing.ejected_for(), Some(Fault::Silent));
        assert_eq!(standing.judge(None, begun), Some(Change::Returned));
        assert_eq!(standing.judge(None, begun), None);
        let out = standing.judge(Some(Fault::Silent), begun + 90 * SECOND);
        assert_eq!(out, Some(Change::Ejected(Fault::Silent)));
        // Well, not well, and well: the time counts from the last.
        assert_eq!(standing.judge(None, begun + 91 * SECOND), None);
        assert_eq!(standing.judge(Some(Fault::Epoch), begun + 92 * SECOND), None);
        assert_eq!(standing.ejected_for(), Some(Fault::Epoch));
        assert_eq!(standing.judge(None, begun + 93 * SECOND), None);
        assert_eq!(standing.judge(None, begun + 94 * SECOND), None);
        assert_eq!(standing.judge(None, begun + 95 * SECOND), Some(Change::Returned));
        assert_eq!(standing.ejected_for(), None);
    }

    #[test]
    fn a_replica_that_comes_and_goes_is_out_for_longer_each_time() {
        let mut now = Instant::now();
        let mut standing = Standing::default();
        standing.judge(None, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            now += SECOND;
            standing.judge(Some(Fault::Failing), now);
            let ejected = now;
            while standing.judge(None, now).is_none() {
                now += SECOND;
            }
            pauses.push(now.duration_since(ejected).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        now += 2 * STEADY;
        standing.judge(Some(Fault::Failing), now);
        standing.judge(None, now);
        assert_eq!(standing.judge(None, now + 2 * SECOND), Some(Change::Returned));
    }

    #[test]
    fn a_lag_is_the_time_since_the_primary_went_on() {
        let begun = Instant::now();
        let mut steps = Steps::default();
        assert_eq!(steps.lag(0), Duration::ZERO, "nothing is known");
        steps.note(10, begun);
        steps.note(10, begun + 100 * SECOND);
        assert_eq!(steps.lag(10), Duration::ZERO, "a quiet log");
        steps.note(11, begun + 101 * SECOND);
        steps.note(15, begun + 103 * SECOND);
        steps.note(15, begun + 105 * SECOND);
        assert_eq!(steps.lag(9), 105 * SECOND);
        assert_eq!(steps.lag(10), 4 * SECOND);
        assert_eq!(steps.lag(12), 2 * SECOND);
        assert_eq!((steps.lag(15), steps.lag(16)), (Duration::ZERO, Duration::ZERO));
        steps.note(3, begun + 106 * SECOND);
        assert_eq!(steps.lag(2), Duration::ZERO, "a restored log");
        steps.note(4, begun + 107 * SECOND);
        assert_eq!(steps.lag(3), Duration::ZERO);
        steps.note(4, begun + 108 * SECOND);
        assert_eq!(steps.lag(3), SECOND);
    }

    #[test]
    fn memory_is_bounded() {
        let begun = Instant::now();
        let mut steps = Steps::default();
        for position in 0..2_000 {
            steps.note(position, begun);
        }
        assert_eq!(steps.seen.len(), STEPS);
    }
}
