//! Which tasks run side by side, and within which bounds.

use std::time::Duration;

use super::kinds::{CAPTURE, ERASE, FULFILL, RECHECK, RECONCILE, REFUND, RESOLVE, REVOKE};

/// Kinds of tasks that a worker of their own does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) kinds: &'static [&'static str],
    /// How many at once.
    pub(crate) at_once: usize,
    /// How long one attempt may take.
    pub(crate) attempt: Duration,
}

/// How long a task is held without a renewal. After that its worker is presumed dead and another one begins the task
/// again. Short, because customers wait for most tasks.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
/// How often a worker renews the lease of its task. What is left of the lease when the attempt ends is enough to record
/// the outcome.
pub(crate) const RENEW: Duration = Duration::from_secs(4);

/// How long an attempt may take that asks the payment provider, which may take its time.
const PROVIDER: Duration = Duration::from_secs(45);

/// What runs side by side. The first needs only the log.
pub(crate) const LANES: [Lane; 6] = [
    Lane {
        kinds: &[FULFILL, REVOKE, RESOLVE],
        at_once: 16,
        attempt: Duration::from_secs(10),
    },
    Lane {
        kinds: &[CAPTURE],
        at_once: 16,
        attempt: PROVIDER,
    },
    Lane {
        kinds: &[REFUND],
        at_once: 8,
        attempt: PROVIDER,
    },
    Lane {
        kinds: &[RECONCILE],
        at_once: 16,
        attempt: PROVIDER,
    },
    Lane {
        kinds: &[RECHECK],
        at_once: 4,
        attempt: PROVIDER,
    },
    Lane {
        kinds: &[ERASE],
        at_once: 2,
        attempt: Duration::from_secs(10),
    },
];

#[cfg(test)]
mod tests {
    use super::LANES;
    use crate::process::kinds::{CAPTURE, KINDS, REFUND};

    #[test]
    fn every_kind_has_one_lane_and_money_has_lanes_of_its_own() {
        for kind in KINDS {
            let lanes: Vec<_> = LANES.iter().filter(|lane| lane.kinds.contains(&kind)).collect();
            assert_eq!(lanes.len(), 1, "{kind}");
            if [CAPTURE, REFUND].contains(&kind) {
                assert_eq!(lanes[0].kinds, [kind]);
            }
        }
    }
}
