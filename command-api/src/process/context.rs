//! What the process managers work with.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{CapturePolicy, HolderKey};
use event_store::{CommandHandler, Staging, Tasks};
use tokio::sync::watch;

use super::lanes::Planned;
use super::providers::Providers;
use crate::erasure::Ledger;
use crate::letters::Post;
use crate::shop::ShopSettings;

/// What the workers have at hand.
#[derive(Clone)]
pub(crate) struct ProcessContext {
    pub(crate) cashier: Cashier,
    pub(crate) tasks: Tasks,
    /// Where erasures are written down outside the database.
    pub(crate) ledger: Option<Ledger>,
    /// How letters are sent; none without a mail server.
    pub(crate) post: Option<Post>,
    pub(crate) reconciliation: Reconciliation,
    pub(crate) desk: Desk,
    /// Makes the ids by which suspensions know people and vehicles.
    pub(crate) holder_key: Arc<HolderKey>,
    /// How long after a capture the provider's books are looked at again.
    pub(crate) recheck_after: TimeDelta,
    /// Wakes workers when tasks were planned.
    pub(crate) planned: Arc<Planned>,
    /// Why the planner does not plan although this instance leads, if an operator must act.
    pub(crate) planner_problem: Arc<watch::Sender<Option<String>>>,
}

/// What does the items of batches.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) command_handler: CommandHandler,
    pub(crate) shop: Arc<ShopSettings>,
    pub(crate) staging: Staging,
}

/// The scheduled comparison of orders with their payments.
#[derive(Clone)]
pub(crate) struct Reconciliation {
    /// Its checkpoint and tasks.
    pub(crate) tasks: Tasks,
    /// How long after the end of a round the next one begins.
    pub(crate) every: TimeDelta,
}

/// Reads payments from their provider and gives orders the commands that follow, by this policy.
#[derive(Clone)]
pub(crate) struct Cashier {
    pub(crate) command_handler: CommandHandler,
    pub(crate) providers: Providers,
    pub(crate) policy: Arc<CapturePolicy>,
}
