//! What happens without anybody asking: licenses for paid orders, the money collected, unpaid orders expired, money
//! that has to go back returned.
//!
//! The planner turns events into tasks; workers do them, each safe to repeat. Issuing needs only the log and has
//! workers of its own, so that a payment provider that hangs never holds up a license.

mod capture;
mod fulfill;
mod planner;
mod refund;
pub(crate) mod settle;
mod step;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use event_store::{Executor, Tasks};
use payments::PaymentProvider;
use tokio::sync::{Notify, watch};

pub(crate) use planner::plan;
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

/// Kinds of tasks that workers of their own do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    names: &'static [&'static str],
    /// How long one attempt may take.
    attempt: Duration,
}

/// How long a task is held without being renewed; after that, whoever held it is presumed dead. Somebody waits for most
/// tasks, so what a worker that died had begun is begun again soon.
const LEASE: Duration = Duration::from_secs(15);
/// How often whoever works on a task renews its lease. What is left of it when the attempt ends is enough to note how it
/// ended.
const RENEW: Duration = Duration::from_secs(4);

/// The kinds that need only the log.
pub(crate) const LOG_KINDS: Kinds = Kinds {
    names: &[FULFILL],
    attempt: Duration::from_secs(10),
};
/// The kinds that ask the payment provider, which may take its time.
pub(crate) const PROVIDER_KINDS: Kinds = Kinds {
    names: &[SETTLE, CAPTURE, REFUND],
    attempt: Duration::from_secs(45),
};

/// What the workers have at hand.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) executor: Executor,
    pub(crate) provider: Arc<dyn PaymentProvider>,
    pub(crate) tasks: Tasks,
    /// Told when tasks were planned.
    pub(crate) planned: Arc<Notify>,
    /// Why the planner does not plan although this instance leads, if somebody has to do something about it.
    pub(crate) planner_problem: Arc<watch::Sender<Option<String>>>,
}
