//! When to stop waiting for the stream and read the log.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Decides when to read the log, from what happened so far.
#[derive(Debug)]
pub(crate) struct Patience {
    grace: Duration,
    poll: Duration,
    poll_at: Instant,
    /// Since when the log is known to be ahead while no event arrives.
    behind_since: Option<Instant>,
    /// The stream was too slow last time: no grace until it delivers again.
    stream_is_late: bool,
    retry_at: Option<Instant>,
    backoff: ExponentialBackoff,
    /// Seed of the pauses' jitter, where runs must be repeatable.
    seed: Option<u64>,
}

/// The state of a subscription when it asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Only the log can help: the stream has a gap, or a message that is not the log's.
    pub(crate) needs_log: bool,
    /// The stream is being read, or being opened for the first time.
    pub(crate) stream_is_promising: bool,
}

impl Patience {
    pub(crate) fn new(grace: Duration, poll: Duration, now: Instant) -> Self {
        let (behind_since, retry_at) = (None, None);
        Self {
            grace,
            poll,
            poll_at: now + poll,
            behind_since,
            stream_is_late: false,
            retry_at,
            backoff: backoff(None),
            seed: None,
        }
    }

    pub(crate) fn with_jitter_seed(mut self, seed: u64) -> Self {
        self.backoff = backoff(Some(seed));
        self.seed = Some(seed);
        self
    }

    /// When to read the log, if the stream gives nothing before.
    pub(crate) fn due_at(&self, situation: Situation) -> Option<Instant> {
        let due = match self.behind_since {
            _ if situation.needs_log => None,
            Some(_) if self.stream_is_late || !situation.stream_is_promising => None,
            Some(since) => Some((since + self.grace).min(self.poll_at)),
            None => Some(self.poll_at),
        };
        due.max(self.retry_at)
    }

    /// Takes note of whether the log is known to be ahead.
    pub(crate) fn note(&mut self, behind: bool, now: Instant) {
        self.behind_since = if behind {
            self.behind_since.or(Some(now))
        } else {
            None
        };
    }

    /// The stream delivered something, new or old.
    pub(crate) fn stream_delivered(&mut self) {
        self.stream_is_late = false;
    }

    /// Events were handed out, from the stream or from the log.
    pub(crate) fn progressed(&mut self, behind: bool, now: Instant) {
        self.poll_at = now + self.poll;
        self.behind_since = behind.then_some(now);
    }

    /// The log gave events. `late`: because the stream had not.
    pub(crate) fn log_gave(&mut self, late: bool) {
        self.retry_at = None;
        self.backoff = backoff(self.seed);
        self.stream_is_late = late;
    }

    /// The log had no new event. `wanted`: although one was expected.
    pub(crate) fn log_had_nothing(&mut self, wanted: bool, now: Instant) {
        self.poll_at = now + self.poll;
        self.retry_at = wanted.then(|| now + self.next_delay());
    }

    /// The log could not be read.
    pub(crate) fn log_failed(&mut self, now: Instant) {
        self.poll_at = now + self.poll;
        self.retry_at = Some(now + self.next_delay());
    }

    fn next_delay(&mut self) -> Duration {
        self.backoff.next().unwrap_or(MAX_BACKOFF)
    }
}

const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// 20 ms, doubling to two seconds, with jitter; reset when the log gives events.
fn backoff(seed: Option<u64>) -> ExponentialBackoff {
    let builder = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(MAX_BACKOFF)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times();
    match seed {
        Some(seed) => builder.with_jitter_seed(seed).build(),
        None => builder.build(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Patience, Situation};

    const GRACE: Duration = Duration::from_millis(250);
    const POLL: Duration = Duration::from_secs(1);
    const IDLE: Situation = Situation {
        needs_log: false,
        stream_is_promising: true,
    };

    fn due(patience: &Patience, situation: Situation, now: Instant) -> bool {
        patience.due_at(situation).is_none_or(|due| due <= now)
    }

    #[test]
    fn an_idle_subscription_polls() {
        let now = Instant::now();
        let mut patience = Patience::new(GRACE, POLL, now);
        assert!(!due(&patience, IDLE, now));
        assert!(due(&patience, IDLE, now + POLL));
        patience.log_had_nothing(false, now + POLL);
        assert!(!due(&patience, IDLE, now + POLL));
    }

    #[test]
    fn an_open_stream_gets_its_grace_and_a_closed_or_late_one_none() {
        let now = Instant::now();
        let mut patience = Patience::new(GRACE, POLL, now);
        patience.note(true, now);
        assert!(!due(&patience, IDLE, now));
        assert!(due(
            &patience,
            Situation {
                stream_is_promising: false,
                ..IDLE
            },
            now
        ));
        assert!(due(&patience, IDLE, now + GRACE));
        patience.log_gave(true);
        patience.progressed(true, now);
        assert!(due(&patience, IDLE, now), "no grace after the stream was late");
        patience.stream_delivered();
        assert!(!due(&patience, IDLE, now), "grace again once it delivered");
    }

    #[test]
    fn a_gap_is_filled_at_once_but_never_in_a_spin() {
        let now = Instant::now();
        let mut patience = Patience::new(GRACE, POLL, now);
        let gap = Situation {
            needs_log: true,
            ..IDLE
        };
        assert!(due(&patience, gap, now));
        patience.log_failed(now);
        assert!(!due(&patience, gap, now));
        patience.log_had_nothing(true, now);
        assert!(!due(&patience, gap, now));
        assert!(due(&patience, gap, now + Duration::from_secs(5)));
    }
}
