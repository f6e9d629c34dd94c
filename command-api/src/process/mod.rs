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

use event_store::{Executor, Tasks};
use payments::PaymentProvider;
use tokio::sync::Notify;

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

/// The kinds that need only the log.
pub(crate) const LOG_KINDS: &[&str] = &[FULFILL];
/// The kinds that ask the payment provider.
pub(crate) const PROVIDER_KINDS: &[&str] = &[SETTLE, CAPTURE, REFUND];

/// What the workers have at hand.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) executor: Executor,
    pub(crate) provider: Arc<dyn PaymentProvider>,
    pub(crate) tasks: Tasks,
    /// Told when tasks were planned.
    pub(crate) planned: Arc<Notify>,
}
