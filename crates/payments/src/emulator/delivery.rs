//! Webhooks: signed, in order per payment, tried again until accepted, for at most seven days.
//!
//! One task owns the schedule. A payment with undelivered webhooks is in it once, so its webhooks can't overtake each
//! other unless told to, and a receiver that refuses one payment's webhooks does not delay those of other payments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::acts::subject;
use super::faults::Fault;
use super::message::{Message, messages};
use super::store::{PendingWebhook, Rejected, Store};
use super::switch::FaultSwitch;
use super::{Error, Webhook};
use crate::vipps::webhook::host_of;

/// Webhooks on their way at once.
const AT_ONCE: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// How long a webhook waits for the next one to go first.
const OVERTAKING: Duration = Duration::from_secs(1);
/// What a forged webhook claims more.
const FORGED_MORE: i64 = 9;
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
#[derive(Clone)]
struct Turn {
    id: Arc<str>,
    /// How often its first pending webhook has failed.
    failures: u32,
    /// Whether it has been late, or waited to be overtaken.
    waited: bool,
}

struct Sender {
    http: reqwest::Client,
    webhook: Option<Webhook>,
    store: Arc<Store>,
    faults: Arc<FaultSwitch>,
}

enum Outcome {
    /// Nothing (more) to send.
    Done,
    /// Sent; there is another.
    More,
    Failed,
    /// To be looked at again after this time.
    Later(Duration),
}

impl Delivery {
    pub(super) fn new(
        webhook: Option<Webhook>,
        max_retry_delay: Duration,
        store: Arc<Store>,
        faults: Arc<FaultSwitch>,
    ) -> Result<Self, Error> {
        if webhook
            .as_ref()
            .is_some_and(|webhook| host_of(&webhook.url).is_none())
        {
            return Err(Error::WebhookUrl);
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| Error::WebhookUrl)?;
        let sender = Sender {
            http,
            webhook,
            store: Arc::clone(&store),
            faults,
        };
        Ok(Self {
            sender: Arc::new(sender),
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
            for id in self.store.take_outbox() {
                let turn = Turn {
                    id,
                    failures: 0,
                    waited: false,
                };
                self.schedule(Instant::now(), turn);
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
                    let outcome = sender.send_first_pending(&turn).await;
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
        let now = Instant::now();
        match outcome {
            Outcome::Done => {}
            Outcome::More => {
                let next = Turn {
                    failures: 0,
                    waited: false,
                    ..turn
                };
                self.schedule(now, next);
            }
            Outcome::Later(after) => {
                let at = now.checked_add(*after).unwrap_or(now + Duration::from_hours(24));
                self.schedule(at, Turn { waited: true, ..turn });
            }
            Outcome::Failed => {
                let delay = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(turn.failures));
                let at = now + delay.min(self.max_retry_delay);
                let failures = turn.failures.saturating_add(1);
                self.schedule(at, Turn { failures, ..turn });
            }
        }
    }
}

impl Sender {
    async fn send_first_pending(&self, turn: &Turn) -> Outcome {
        match self.try_first_pending(turn).await {
            Ok(outcome) => outcome,
            // The whole process is stopping.
            Err(_) => Outcome::Failed,
        }
    }

    async fn try_first_pending(&self, turn: &Turn) -> Result<Outcome, Rejected> {
        let Some(webhook) = self.store.pending_webhook(&turn.id, 0).await? else {
            return Ok(Outcome::Done);
        };
        let (id, name) = (&webhook.id, webhook.change.name);
        let subject = subject(&webhook.creation, None);
        if self.messages(&webhook, 0).is_empty() {
            return self.settled(&webhook).await;
        }
        if self.faults.applies(subject, Fault::WebhookDrop) {
            tracing::info!(%id, ?name, "webhook dropped as told");
        } else if Utc::now() - webhook.change.at > GIVE_UP_AFTER {
            tracing::warn!(%id, ?name, "webhook given up");
        } else {
            if !turn.waited {
                let late = self.faults.take(subject, |fault| match fault {
                    Fault::WebhookDelayMs(ms) => Some(Duration::from_millis(ms)),
                    _ => None,
                });
                if let Some(late) = late {
                    return Ok(Outcome::Later(late));
                }
                if self.faults.applies(subject, Fault::WebhookOutOfOrder) {
                    return self.send_swapped(webhook).await;
                }
            }
            if !self.send(&webhook).await {
                return Ok(Outcome::Failed);
            }
        }
        self.settled(&webhook).await
    }

    fn messages(&self, webhook: &PendingWebhook, more_ore: i64) -> Vec<Message> {
        messages(
            self.webhook.as_ref(),
            &webhook.creation,
            &webhook.change,
            more_ore,
        )
    }

    async fn settled(&self, webhook: &PendingWebhook) -> Result<Outcome, Rejected> {
        let more = self.store.settle(webhook).await?;
        Ok(if more { Outcome::More } else { Outcome::Done })
    }

    /// Sends the payment's next webhook first, if it comes in time.
    async fn send_swapped(&self, first: PendingWebhook) -> Result<Outcome, Rejected> {
        let waits_until = Instant::now() + OVERTAKING;
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while Instant::now() < waits_until {
            looks.tick().await;
            if let Some(second) = self.store.pending_webhook(&first.id, 1).await? {
                if self.send(&second).await && self.send(&first).await {
                    return self.settled(&second).await;
                }
                return Ok(Outcome::Failed);
            }
        }
        Ok(Outcome::Later(Duration::ZERO))
    }

    /// Sends the messages of one change, and whether all were accepted.
    async fn send(&self, webhook: &PendingWebhook) -> bool {
        let (creation, change) = (&webhook.creation, &webhook.change);
        let (subject, faults) = (subject(creation, None), &self.faults);
        if faults.applies(subject, Fault::WebhookForged) {
            for message in self.messages(webhook, change.amount_ore.saturating_mul(FORGED_MORE)) {
                // The sender of a forged webhook does not repeat it.
                let _ = self.post(&message, true).await;
            }
        }
        let more_ore = faults.take(subject, |fault| match fault {
            Fault::WebhookAmount(ore) => Some(ore),
            _ => None,
        });
        let spoilt = faults.applies(subject, Fault::WebhookSpoilt);
        let twice = faults.applies(subject, Fault::WebhookDuplicate);
        for message in self.messages(webhook, more_ore.unwrap_or(0)) {
            for _ in 0..if twice { 2 } else { 1 } {
                if let Err(reason) = self.post(&message, spoilt).await {
                    tracing::warn!(id = %webhook.id, name = ?change.name, reason, "webhook not accepted");
                    return false;
                }
            }
        }
        tracing::debug!(id = %webhook.id, name = ?change.name, "webhook delivered");
        true
    }

    async fn post(&self, message: &Message, spoilt: bool) -> Result<(), String> {
        let Some(request) = message.request(&self.http, spoilt) else {
            return Err("the URL can't be called".to_owned());
        };
        match request.send().await {
            Ok(response) if message.is_accepted(response.status()) => Ok(()),
            Ok(response) => Err(format!("status {}", response.status().as_u16())),
            Err(error) if error.is_timeout() => Err("timed out".to_owned()),
            Err(error) if error.is_connect() => Err("connection failed".to_owned()),
            Err(_) => Err("the connection broke".to_owned()),
        }
    }
}
