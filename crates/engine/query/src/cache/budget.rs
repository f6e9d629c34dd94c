//! How much may be kept at once. What is kept ends by itself after a while, so a bound on what is stored within that while
//! is a bound on what there is, whatever is asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes that may be stored, which come back at a steady rate.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    within: Duration,
    left: Mutex<(u64, Instant)>,
}

impl Budget {
    /// About this many bytes within that time, and twice as many at most.
    pub(super) fn new(most: u64, within: Duration) -> Self {
        Self {
            most,
            within,
            left: Mutex::new((most, Instant::now())),
        }
    }

    /// Whether that many bytes may be stored; they are then used up.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.take_at(bytes, Instant::now())
    }

    fn take_at(&self, bytes: usize, now: Instant) -> bool {
        let mut state = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *state;
        let back =
            u128::from(self.most) * now.duration_since(since).as_nanos() / self.within.as_nanos().max(1);
        let back = u64::try_from(back).unwrap_or(self.most);
        let left = left.saturating_add(back).min(self.most);
        // Less than a byte has come back: it is counted from the same moment next time.
        let since = if back == 0 { since } else { now };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let (left, allowed) = match left.checked_sub(bytes) {
            Some(left) => (left, true),
            None => (left, false),
        };
        *state = (left, since);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_comes_back_with_time() {
        let budget = Budget::new(100, Duration::from_secs(10));
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!budget.take_at(101, begun));
        assert!(budget.take_at(100, begun));
        assert!(!budget.take_at(1, begun));
        assert!(budget.take_at(50, at(5)));
        assert!(!budget.take_at(1, at(5)));
        assert!(budget.take_at(100, at(100)), "it never holds more than at first");
        assert!(!budget.take_at(1, at(100)));
    }
}
