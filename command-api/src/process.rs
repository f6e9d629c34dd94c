//! What happens without a request: licenses for paid orders, the money collected, unpaid orders expired, money
//! that has to go back returned, licenses without money revoked, letters sent.
//!
//! The planner turns events into tasks; workers do them, each safe to repeat. Tasks are done in lanes, each with its own
//! bound: issuing, which needs only the log, never waits for a payment provider that hangs, neither captures nor refunds
//! wait behind questions about unpaid orders, and no task at one provider waits behind tasks at another one. Nothing waits
//! behind letters.

pub(crate) mod compare;
pub(crate) mod context;
pub(crate) mod kinds;
pub(crate) mod lanes;
pub(crate) mod providers;
pub(crate) mod sweep;

pub(crate) mod planner;
pub(crate) mod worker;

mod capture;
mod erase;
mod fulfill;
mod letter;
mod placed_with;
mod recheck;
pub(crate) mod reconcile;
mod refund;
mod resolve;
mod revoke;
pub(crate) mod step;
mod strays;
