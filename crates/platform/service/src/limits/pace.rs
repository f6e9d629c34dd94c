//! The arithmetic of a limit: how much of a burst is left, when it is full again, and how long to wait.
//!
//! A reader's **debt** is the time until its burst is full again. A request adds one interval to it, and is refused if the
//! debt would then exceed the capacity, which is the whole burst's time.

use std::num::NonZeroU32;

const SECOND_US: u64 = 1_000_000;

/// A request each interval in the long run, and a burst at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) interval_us: u64,
    pub(super) burst: NonZeroU32,
}

impl Pace {
    /// The most debt a reader can have.
    pub(super) fn capacity_us(self) -> u64 {
        self.interval_us * u64::from(self.burst.get())
    }

    /// The share of one of several instances: a burst is at least one request.
    pub(super) fn share(self, instances: u16) -> Self {
        let instances =
            NonZeroU32::from(std::num::NonZeroU16::new(instances).unwrap_or(std::num::NonZeroU16::MIN));
        let burst = self.burst.get().div_ceil(instances.get());
        Self {
            interval_us: self.interval_us * u64::from(instances.get()),
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// Requests that the burst still allows.
    pub(super) fn remaining(self, debt_us: u64) -> u64 {
        self.capacity_us().saturating_sub(debt_us) / self.interval_us
    }

    /// The debt of a reader with that many requests left, at the most.
    pub(super) fn debt_us(self, remaining: u32) -> u64 {
        self.interval_us * u64::from(self.burst.get().saturating_sub(remaining))
    }

    /// How long until a request is allowed; 0 if it is now.
    pub(super) fn wait_us(self, debt_us: u64) -> u64 {
        (debt_us + self.interval_us).saturating_sub(self.capacity_us())
    }

    /// The whole seconds in which an empty burst fills up.
    pub(super) fn window_s(self) -> u64 {
        seconds(self.capacity_us())
    }
}

/// Rounded up: a second too early is a refusal.
pub(super) fn seconds(micros: u64) -> u64 {
    micros.div_ceil(SECOND_US)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{Pace, seconds};

    /// Ten a second, three at once.
    const PACE: Pace = Pace {
        interval_us: 100_000,
        burst: NonZeroU32::new(3).unwrap(),
    };

    #[test]
    fn a_burst_is_used_up_and_fills_up() {
        let left = |debt| (PACE.remaining(debt), PACE.wait_us(debt));
        assert_eq!(left(0), (3, 0));
        assert_eq!(left(1), (2, 0), "a request counts from its first microsecond");
        assert_eq!(left(100_000), (2, 0));
        assert_eq!(left(200_000), (1, 0));
        assert_eq!(left(200_001), (0, 1));
        assert_eq!(left(300_000), (0, 100_000));
        assert_eq!(PACE.remaining(9_000_000), 0, "more than can be");
        for remaining in 0..=3 {
            assert_eq!(PACE.remaining(PACE.debt_us(remaining)), u64::from(remaining));
        }
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!([0, 1, 1_000_000, 1_000_001].map(seconds), [0, 1, 1, 2]);
        assert_eq!(PACE.window_s(), 1);
    }

    #[test]
    fn shares_add_up_to_the_limit_and_are_never_nothing() {
        let of = |instances| {
            let share = PACE.share(instances);
            (share.interval_us, share.burst.get())
        };
        assert_eq!(of(1), (100_000, 3));
        assert_eq!(of(2), (200_000, 2));
        assert_eq!(of(1000), (100_000_000, 1));
        assert_eq!(of(0), (100_000, 3));
    }
}
