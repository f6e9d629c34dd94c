//! How this shop is set up.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::{HolderKey, RefundPolicy};
use service::return_key::ReturnKey;
use service::secret::Secret;

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
