//! What happens without anybody asking: licenses for paid orders, the money collected, unpaid orders expired, money
//! that has to go back returned, licenses without money revoked.
//!
//! The planner turns events into tasks; workers do them, each safe to repeat. Tasks are done in lanes, each with its own
//! bound: issuing, which needs only the log, never waits for a payment provider that hangs, and neither captures nor
//! refunds wait behind questions about unpaid orders.

mod capture;
mod fulfill;
mod planner;
mod reconcile;
mod refund;
mod revoke;
pub(crate) mod settle;
mod step;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use event_store::Tasks;
use tokio::sync::{Notify, watch};

pub(crate) use planner::plan;
pub(crate) use settle::Cashier;
pub(crate) use worker::{observe, work};

/// The name that checkpoint and tasks are kept under.
pub(crate) const PROCESS: &str = "orders";

/// Issue the licenses of a paid order.
const FULFILL: &str = "fulfill";
/// Ask the provider how a payment stands, and expire an order that ran out of time.
const SETTLE: &str = "settle";
/// Collect the money of a fulfilled order.
const CAPTURE: &str = "capture";
/// Give money back.
const REFUND: &str = "refund";
/// Revoke the licenses of an order that ended.
const REVOKE: &str = "revoke";
/// Look for money that moved outside the context.
const RECONCILE: &str = "reconcile";
/// Wait for a decision on money that can't be collected.
const RESOLVE: &str = "resolve";

/// Every kind, as metrics name them.
pub(crate) const KINDS: [&str; 7] = [FULFILL, SETTLE, CAPTURE, REFUND, REVOKE, RECONCILE, RESOLVE];

/// Kinds of tasks that a worker of their own does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    kinds: &'static [&'static str],
    /// How many at once.
    at_once: usize,
    /// How long one attempt may take.
    attempt: Duration,
}

/// How long a task is held without being renewed; after that, whoever held it is presumed dead. Somebody waits for most
/// tasks, so what a worker that died had begun is begun again soon.
const LEASE: Duration = Duration::from_secs(15);
/// How often whoever works on a task renews its lease. What is left of it when the attempt ends is enough to note how it
/// ended.
const RENEW: Duration = Duration::from_secs(4);

/// How long an attempt may take that asks the payment provider, which may take its time.
const PROVIDER: Duration = Duration::from_secs(45);

/// What runs side by side. The first needs only the log.
pub(crate) const LANES: [Lane; 5] = [
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
        kinds: &[SETTLE],
        at_once: 16,
        attempt: PROVIDER,
    },
    Lane {
        kinds: &[RECONCILE],
        at_once: 4,
        attempt: PROVIDER,
    },
];

/// What the workers have at hand.
#[derive(Clone)]
pub(crate) struct ProcessContext {
    pub(crate) cashier: Cashier,
    pub(crate) tasks: Tasks,
    /// How long after a capture the provider's books are looked at again.
    pub(crate) reconcile_after: TimeDelta,
    /// Told when tasks were planned.
    pub(crate) planned: Arc<Notify>,
    /// Why the planner does not plan although this instance leads, if somebody has to do something about it.
    pub(crate) planner_problem: Arc<watch::Sender<Option<String>>>,
}

#[cfg(test)]
mod tests {
    use super::{CAPTURE, KINDS, LANES, REFUND};

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
