//! Webhooks: signed, in order per payment, tried again until accepted, for at most seven days.
//!
//! One task owns the schedule. A payment with undelivered webhooks is in it once, so its webhooks can't overtake each
//! other, and a receiver that refuses one payment's webhooks does not delay those of other payments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::faults::{FaultSwitch, WebhookFault};
use super::store::{PendingWebhook, Rejected, Store};
use super::{Error, Webhook};
use crate::vipps::webhook::{CONTENT_HASH_HEADER, DATE_HEADER, host_of, sign};

/// Webhooks on their way at once.
const AT_ONCE: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(7);

pub(super) struct Delivery {
    sender: Arc<Sender>,
    store: Arc<Store>,
    max_retry_delay: Duration,
    /// Payments with undelivered webhooks, by the time of the next try. The number makes equal times distinct keys.
    schedule: BTreeMap<(Instant, u64), Turn>,
    scheduled: u64,
}

/// A payment's place in the schedule.
struct Turn {
    reference: Arc<str>,
    /// How often its first pending webhook has failed.
    failures: u32,
}

struct Sender {
    http: reqwest::Client,
    url: Url,
    host: String,
    path_and_query: String,
    webhook: Webhook,
    store: Arc<Store>,
    faults: Arc<FaultSwitch>,
}

enum Outcome {
    /// Nothing (more) to send.
    Done,
    /// Sent; there is another.
    More,
    Failed,
}

impl Delivery {
    pub(super) fn new(webhook: Webhook, store: Arc<Store>, faults: Arc<FaultSwitch>) -> Result<Self, Error> {
        let host = host_of(&webhook.url).ok_or(Error::WebhookUrl)?;
        let url = Url::parse(&webhook.url).map_err(|_| Error::WebhookUrl)?;
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| Error::WebhookUrl)?;
        let max_retry_delay = webhook.max_retry_delay;
        let sender = Sender {
            http,
            url,
            host,
            path_and_query,
            webhook,
            store: Arc::clone(&store),
            faults,
        };
        let sender = Arc::new(sender);
        Ok(Self {
            sender,
            store,
            max_retry_delay,
            schedule: BTreeMap::new(),
            scheduled: 0,
        })
    }

    /// Sends until dropped. A webhook cut off by that is sent again after the next start.
    pub(super) async fn run(mut self) {
        let mut on_their_way: JoinSet<(Turn, Outcome)> = JoinSet::new();
        loop {
            for reference in self.store.take_outbox() {
                self.schedule(
                    Instant::now(),
                    Turn {
                        reference,
                        failures: 0,
                    },
                );
            }
            while on_their_way.len() < AT_ONCE {
                let Some(due) = self
                    .schedule
                    .first_entry()
                    .filter(|turn| turn.key().0 <= Instant::now())
                else {
                    break;
                };
                let (turn, sender) = (due.remove(), Arc::clone(&self.sender));
                on_their_way.spawn(async move {
                    let outcome = sender.send_first_pending(&turn.reference).await;
                    (turn, outcome)
                });
            }
            let full = on_their_way.len() >= AT_ONCE;
            let next = self.schedule.first_key_value().map(|((at, _), _)| *at);
            tokio::select! {
                Some(finished) = on_their_way.join_next() => match finished {
                    Ok((turn, outcome)) => self.after(turn, &outcome),
                    Err(error) => tracing::error!(%error, "a webhook delivery died"),
                },
                () = self.store.outbox_filled.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() && !full => {}
            }
        }
    }

    fn schedule(&mut self, at: Instant, turn: Turn) {
        self.scheduled += 1;
        self.schedule.insert((at, self.scheduled), turn);
    }

    fn after(&mut self, turn: Turn, outcome: &Outcome) {
        match outcome {
            Outcome::Done => {}
            Outcome::More => self.schedule(Instant::now(), Turn { failures: 0, ..turn }),
            Outcome::Failed => {
                let delay = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(turn.failures));
                let at = Instant::now() + delay.min(self.max_retry_delay);
                self.schedule(
                    at,
                    Turn {
                        failures: turn.failures.saturating_add(1),
                        ..turn
                    },
                );
            }
        }
    }
}

impl Sender {
    async fn send_first_pending(&self, reference: &Arc<str>) -> Outcome {
        match self.try_first_pending(reference).await {
            Ok(outcome) => outcome,
            // The whole process is stopping.
            Err(_) => Outcome::Failed,
        }
    }

    async fn try_first_pending(&self, reference: &Arc<str>) -> Result<Outcome, Rejected> {
        let Some(webhook) = self.store.pending_webhook(reference).await? else {
            return Ok(Outcome::Done);
        };
        let name = webhook.change.name;
        let fault = self.faults.get().webhooks;
        if fault == WebhookFault::Drop {
            tracing::info!(%reference, ?name, "webhook dropped as told");
        } else if Utc::now() - webhook.change.at > GIVE_UP_AFTER {
            tracing::warn!(%reference, ?name, "webhook given up");
        } else {
            if let WebhookFault::DelayMs(ms) = fault {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            let times = if fault == WebhookFault::Duplicate { 2 } else { 1 };
            for _ in 0..times {
                if let Err(reason) = self.post(&webhook, fault).await {
                    tracing::warn!(%reference, ?name, reason, "webhook not accepted");
                    return Ok(Outcome::Failed);
                }
            }
            tracing::debug!(%reference, ?name, "webhook delivered");
        }
        let more = self.store.settle(&webhook).await?;
        Ok(if more { Outcome::More } else { Outcome::Done })
    }

    async fn post(&self, webhook: &PendingWebhook, fault: WebhookFault) -> Result<(), String> {
        let body = self.body(webhook);
        let date = http_date(Utc::now());
        let secret = match fault {
            WebhookFault::CorruptSignature => "not the secret",
            _ => &self.webhook.secret,
        };
        let signed = sign(
            secret,
            "POST",
            &self.path_and_query,
            &self.host,
            &date,
            body.as_bytes(),
        );
        let request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(DATE_HEADER, date)
            .header(CONTENT_HASH_HEADER, signed.content_hash)
            .header(AUTHORIZATION, signed.authorization)
            .body(body);
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("status {}", response.status().as_u16())),
            Err(error) if error.is_timeout() => Err("timed out".to_owned()),
            Err(error) if error.is_connect() => Err("connection failed".to_owned()),
            Err(_) => Err("the connection broke".to_owned()),
        }
    }

    /// The same bytes for every try.
    fn body(&self, webhook: &PendingWebhook) -> String {
        let change = &webhook.change;
        json!({
            "msn": self.webhook.merchant_serial_number,
            "reference": &*webhook.reference,
            "pspReference": change.psp_reference,
            "name": change.name,
            "amount": { "currency": "NOK", "value": change.amount_ore },
            "timestamp": change.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "idempotencyKey": change.key.as_ref().map(|key| &key.value),
            "success": true,
        })
        .to_string()
    }
}

/// As in RFC 9110: `Thu, 30 Mar 2023 08:38:32 GMT`.
fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        let at = DateTime::from_timestamp(1_680_165_512, 0).unwrap();
        assert_eq!(http_date(at), "Thu, 30 Mar 2023 08:38:32 GMT");
    }
}
