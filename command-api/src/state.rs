//! What every handler has at hand.

use std::sync::Arc;

use axum::extract::FromRef;
use chrono::TimeDelta;
use domain::{HolderKey, RefundPolicy};
use event_store::{CommandHandler, Inbox, Staging};
use service::auth::Authenticator;
use service::return_key::ReturnKey;
use service::secret::Secret;

use crate::idempotency::InFlight;
use crate::process::context::Cashier;
use crate::terms_in_use::TermsInUse;

/// What every handler has at hand.
#[derive(Clone)]
pub struct AppState {
    /// Runs commands.
    pub command_handler: CommandHandler,
    /// Checks tokens.
    pub authenticator: Authenticator,
    /// Reconciles orders with their payments.
    pub(crate) cashier: Cashier,
    /// The items of batches that are not done yet.
    pub(crate) staging: Staging,
    /// The webhooks that were applied.
    pub(crate) inbox: Inbox,
    /// How this shop is set up.
    pub shop: Arc<ShopSettings>,
    /// Requests that are being worked on, by key.
    pub in_flight: InFlight,
    /// The terms that orders accept.
    pub(crate) terms: TermsInUse,
}

/// How this shop is set up.
#[derive(Debug)]
pub struct ShopSettings {
    /// Host as Vipps signs webhooks for, for example `api.bilsportlisens.no`.
    pub webhook_host: String,
    /// Where the payment providers reach this service.
    pub public_url: String,
    /// Secret that the webhooks of Vipps are signed with.
    pub vipps_webhook_secret: Option<Secret>,
    /// Text that the webhooks of Nexi show.
    pub nexi_webhook_authorization: Option<Secret>,
    /// Where the customer's browser comes back to.
    pub return_url: String,
    /// Makes the capabilities of return URLs.
    pub return_key: ReturnKey,
    /// How long an order may stay unpaid.
    pub time_to_pay: TimeDelta,
    /// Makes holder ids.
    pub holder_key: Arc<HolderKey>,
    /// Until when and how much staff gives back.
    pub refund_policy: Arc<RefundPolicy>,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}
