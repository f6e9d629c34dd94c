//! A create at Nexi, and what is wrong with it.

use reqwest::Url;
use serde::Deserialize;

use super::nexi_error::NexiError;
use super::payment::{AtNexi, MAX_AMOUNT_ORE, Subscription};
use super::store::NewPayment;

/// The only currency that is emulated.
pub(super) const CURRENCY: &str = "NOK";
const MAX_URL: usize = 2048;
const MAX_WEBHOOKS: usize = 32;

/// What a merchant asks for.
#[derive(Deserialize)]
pub(super) struct CreateBody {
    order: Order,
    checkout: Checkout,
    #[serde(default)]
    notifications: Notifications,
}

#[derive(Deserialize)]
struct Order {
    items: Vec<Item>,
    amount: i64,
    currency: String,
    reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    name: String,
    gross_total_amount: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checkout {
    integration_type: String,
    return_url: String,
    #[serde(default)]
    cancel_url: Option<String>,
    terms_url: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notifications {
    #[serde(default)]
    web_hooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    event_name: String,
    url: String,
    authorization: String,
}

impl CreateBody {
    /// The payment, if everything about it is as the protocol wants it.
    pub(super) fn into_payment(self, payment_id: &str) -> Result<NewPayment, NexiError> {
        let (order, checkout) = (self.order, self.checkout);
        amounts(order.amount, &order.items)?;
        if order.currency != CURRENCY {
            return Err(NexiError::field("order.currency", "must be NOK"));
        }
        if order.reference.is_empty() || order.reference.len() > 128 {
            return Err(NexiError::field("order.reference", "must be 1 to 128 characters"));
        }
        if checkout.integration_type != "HostedPaymentPage" {
            return Err(NexiError::field(
                "checkout.integrationType",
                "only HostedPaymentPage is emulated",
            ));
        }
        let cancel_url = checkout.cancel_url.unwrap_or_else(|| checkout.return_url.clone());
        for (field, url) in [
            ("checkout.returnUrl", &checkout.return_url),
            ("checkout.cancelUrl", &cancel_url),
            ("checkout.termsUrl", &checkout.terms_url),
        ] {
            web_address(field, url, MAX_URL)?;
        }
        let webhooks = subscriptions(self.notifications)?;
        let description = order.items.into_iter().next().map(|item| item.name);
        Ok(NewPayment {
            reference: order.reference,
            idempotency_key: String::new(),
            fingerprint: String::new(),
            amount_ore: order.amount,
            description: description.unwrap_or_default(),
            return_url: checkout.return_url,
            nexi: Some(AtNexi {
                payment_id: payment_id.to_owned(),
                cancel_url,
                webhooks,
            }),
        })
    }
}

fn subscriptions(notifications: Notifications) -> Result<Vec<Subscription>, NexiError> {
    let webhooks = notifications.web_hooks;
    if webhooks.len() > MAX_WEBHOOKS {
        return Err(NexiError::field("notifications.webHooks", "too many"));
    }
    webhooks
        .into_iter()
        .map(|webhook| {
            web_address("notifications.webHooks.url", &webhook.url, 256)?;
            let text = &webhook.authorization;
            if !(8..=32).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(NexiError::field(
                    "notifications.webHooks.authorization",
                    "must be 8 to 32 of a-z, A-Z, 0-9",
                ));
            }
            Ok(Subscription {
                event: webhook.event_name,
                url: webhook.url,
                authorization: webhook.authorization,
            })
        })
        .collect()
}

fn web_address(field: &'static str, url: &str, most: usize) -> Result<(), NexiError> {
    let web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if web && url.len() <= most && url.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(NexiError::field(field, "must be a web address"))
    }
}

pub(super) fn amounts(amount_ore: i64, items: &[Item]) -> Result<(), NexiError> {
    if !(1..=MAX_AMOUNT_ORE).contains(&amount_ore) {
        return Err(NexiError::field("amount", "is out of range"));
    }
    let sum = items
        .iter()
        .try_fold(0_i64, |sum, item| sum.checked_add(item.gross_total_amount));
    if sum != Some(amount_ore) {
        return Err(NexiError::field("amount", "is not the sum of the items"));
    }
    Ok(())
}
