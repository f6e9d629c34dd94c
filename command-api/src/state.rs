//! What every handler has at hand.

use std::sync::Arc;

use axum::extract::FromRef;
use event_store::{CommandHandler, Inbox, Staging};
use service::auth::Authenticator;
use service::limits::Limiter;
use tokio::sync::Semaphore;

use crate::idempotency::InFlight;
use crate::process::context::Cashier;
use crate::shop::ShopSettings;
use crate::terms_in_use::TermsInUse;

/// What every handler has at hand.
#[derive(Clone)]
pub struct AppState {
    /// Runs commands.
    pub command_handler: CommandHandler,
    /// Checks tokens.
    pub authenticator: Authenticator,
    /// Counts requests.
    pub(crate) limiter: Limiter,
    /// Reconciles orders with their payments.
    pub(crate) cashier: Cashier,
    /// The items of batches that are not done yet.
    pub(crate) staging: Staging,
    /// How many batches may still be received at once.
    pub(crate) uploads: Arc<Semaphore>,
    /// The webhooks that were applied.
    pub(crate) inbox: Inbox,
    /// How this shop is set up.
    pub shop: Arc<ShopSettings>,
    /// Requests that are being worked on, by key.
    pub in_flight: InFlight,
    /// The terms that orders accept.
    pub(crate) terms: TermsInUse,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

impl FromRef<AppState> for Limiter {
    fn from_ref(state: &AppState) -> Self {
        state.limiter.clone()
    }
}
