//! The kinds of tasks, as the `tasks` table and metrics name them.

/// The name that checkpoint and tasks are kept under.
pub(crate) const PROCESS: &str = "orders";

/// Issue the licenses of a paid order.
pub(crate) const FULFILL: &str = "fulfill";
/// Ask the provider about a payment, and expire an order that ran out of time. Stored as `settle` since the first tasks.
pub(crate) const RECONCILE: &str = "settle";
/// Collect the money of a fulfilled order.
pub(crate) const CAPTURE: &str = "capture";
/// Give money back.
pub(crate) const REFUND: &str = "refund";
/// Revoke the licenses of an order that ended.
pub(crate) const REVOKE: &str = "revoke";
/// Look for money that moved outside the shop. Stored as `reconcile` since the first tasks.
pub(crate) const RECHECK: &str = "reconcile";
/// Wait for a decision on money that can't be collected.
pub(crate) const RESOLVE: &str = "resolve";

/// Forget an erased person.
pub(crate) const ERASE: &str = "erase";

/// Every kind, as metrics name them.
pub(crate) const KINDS: [&str; 8] = [
    FULFILL, RECONCILE, CAPTURE, REFUND, REVOKE, RECHECK, RESOLVE, ERASE,
];
