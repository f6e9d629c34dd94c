//! All payments in memory, backed by the journal.
//!
//! **Invariant:** a change is applied and queued for the journal under one lock, and every method returns only when
//! what it read or changed is on disk. So no answer reports a change that a crash could undo.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::journal::{Journal, Places, Record};
use super::memory::Memory;
use super::payment::{
    AtNexi, Change, Creation, Decision, Key, Later, Name, OperationRefused, Payment, Request, Standing,
};
use super::{Error, Options};

mod rejected;

pub(super) use rejected::Rejected;

/// Payments that the clock is looked at for in one step, so that the lock is never held long.
const DUE_AT_ONCE: usize = 100;
/// Things that the clock does to one payment in one step.
const CLOCK_AT_ONCE: usize = 3;

pub(super) struct Store {
    memory: Mutex<Memory>,
    journal: Option<Journal>,
    /// Notified when [`Store::take_outbox`] has payments to return.
    pub(super) outbox_filled: Notify,
    ttl: TimeDelta,
    max_payments: usize,
}

/// What a merchant creates a payment with.
pub(super) struct NewPayment {
    pub(super) reference: String,
    pub(super) idempotency_key: String,
    pub(super) fingerprint: String,
    pub(super) amount_ore: i64,
    pub(super) description: String,
    pub(super) return_url: String,
    pub(super) nexi: Option<AtNexi>,
}

/// A webhook to send: the `number`th (from 0) of its payment.
pub(super) struct PendingWebhook {
    pub(super) number: usize,
    /// The payment's id at its provider.
    pub(super) id: Arc<str>,
    pub(super) creation: Creation,
    pub(super) change: Change,
}

impl Store {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        let mut memory = Memory::default();
        let journal = match &options.data_file {
            Some(path) => Some(Journal::open(path, |record| memory.apply(record))?),
            None => None,
        };
        // The journal counts the lines of this run only.
        memory.queued_lines = 0;
        memory.outbox = memory
            .payments
            .iter()
            .filter(|(_, payment)| payment.settled_webhooks < payment.history.len())
            .map(|(reference, _)| Arc::clone(reference))
            .collect();
        tracing::info!(
            payments = memory.payments.len(),
            undelivered = memory.outbox.len(),
            "payments loaded"
        );
        let outbox_filled = Notify::new();
        outbox_filled.notify_one();
        Ok(Self {
            memory: Mutex::new(memory),
            journal,
            outbox_filled,
            ttl: TimeDelta::from_std(options.payment_ttl).unwrap_or(TimeDelta::MAX / 2),
            max_payments: options.max_payments,
        })
    }

    /// Creates a payment, or finds the one that the same request created.
    pub(super) async fn create(&self, new: NewPayment) -> Result<(), Rejected> {
        let mut places = self.places(1).await?;
        let lines = {
            let mut memory = self.lock();
            let same_request = memory.create_keys.get(&new.idempotency_key);
            if let Some(id) = same_request.filter(|_| new.nexi.is_none()) {
                let payment = memory.payments.get(id);
                let known = payment.map(|payment| &payment.creation.fingerprint);
                if known != Some(&new.fingerprint) {
                    return Err(OperationRefused::KeyReused.into());
                }
            } else if new.nexi.is_none() && memory.payments.contains_key(new.reference.as_str()) {
                return Err(Rejected::ReferenceTaken);
            } else if memory.payments.len() >= self.max_payments {
                return Err(Rejected::Full);
            } else {
                let at = Utc::now();
                let creation = Creation {
                    reference: new.reference,
                    idempotency_key: new.idempotency_key,
                    fingerprint: new.fingerprint,
                    amount_ore: new.amount_ore,
                    description: new.description,
                    return_url: new.return_url,
                    psp_reference: Uuid::new_v4(),
                    at,
                    expires_at: at
                        .checked_add_signed(self.ttl)
                        .unwrap_or(DateTime::<Utc>::MAX_UTC),
                    nexi: new.nexi,
                };
                self.record(&mut memory, &mut places, Record::Created(creation));
            }
            memory.queued_lines
        };
        drop(places);
        self.on_disk(lines).await
    }

    /// Decides and records a change, and returns the payment's state after it. `later` is what the clock does to it then.
    pub(super) async fn change(
        &self,
        id: &str,
        request: Request,
        key: Option<&str>,
        later: Option<Later>,
    ) -> Result<Standing, Rejected> {
        let mut places = self.places(CLOCK_AT_ONCE + 1).await?;
        let (decided, lines) = {
            let mut memory = self.lock();
            let now = self.tick(&mut memory, &mut places, id)?;
            let payment = &memory.payments[id];
            let decided = payment.decide(request, key).map(|decision| match decision {
                Decision::Known(standing) => standing,
                Decision::Happens(name, amount_ore) => {
                    let name = match name {
                        Name::Refunded if later.is_some() => Name::RefundStarted,
                        name => name,
                    };
                    let change = Change {
                        key: key.map(|value| Key {
                            value: value.to_owned(),
                            request,
                        }),
                        charge: request.charge(),
                        later,
                        ..Change::new(name, amount_ore, now)
                    };
                    let record = Record::Changed {
                        reference: id.to_owned(),
                        change,
                    };
                    self.record(&mut memory, &mut places, record);
                    memory.payments[id].now
                }
            });
            (decided, memory.queued_lines)
        };
        drop(places);
        self.on_disk(lines).await?;
        Ok(decided?)
    }

    /// The payment's present state.
    pub(super) async fn get(&self, id: &str) -> Result<Payment, Rejected> {
        let mut places = self.places(CLOCK_AT_ONCE).await?;
        let (payment, lines) = {
            let mut memory = self.lock();
            self.tick(&mut memory, &mut places, id)?;
            (memory.payments[id].clone(), memory.queued_lines)
        };
        drop(places);
        self.on_disk(lines).await?;
        Ok(payment)
    }

    /// The ids of the payments after the first `after`, at most `limit`, oldest first.
    pub(super) fn ids(&self, after: usize, limit: usize) -> Vec<Arc<str>> {
        let memory = self.lock();
        let ids = memory.order.iter().skip(after).take(limit);
        ids.map(Arc::clone).collect()
    }

    /// The ids of the payments of a merchant's reference, oldest first.
    pub(super) fn ids_of(&self, reference: &str) -> Vec<Arc<str>> {
        let memory = self.lock();
        memory.by_reference.get(reference).cloned().unwrap_or_default()
    }

    /// The payment that a charge at Nexi is of.
    pub(super) fn payment_of(&self, charge: Uuid) -> Option<Arc<str>> {
        self.lock().charges.get(&charge).cloned()
    }

    /// Does what the clock does.
    pub(super) async fn expire_due(&self) -> Result<(), Rejected> {
        loop {
            let due: Vec<Arc<str>> = {
                let (memory, now) = (self.lock(), Utc::now());
                let waiting = memory.waiting.iter().take(DUE_AT_ONCE);
                waiting
                    .take_while(|(end, _)| *end <= now)
                    .map(|(_, id)| Arc::clone(id))
                    .collect()
            };
            if due.is_empty() {
                return Ok(());
            }
            for id in due {
                self.get(&id).await?;
            }
        }
    }

    /// Takes the payments with webhooks to send. The caller sends the webhooks of each until [`Store::settle`] reports that
    /// none is left.
    pub(super) fn take_outbox(&self) -> VecDeque<Arc<str>> {
        std::mem::take(&mut self.lock().outbox)
    }

    /// The payment's webhook after the settled ones, or the one `further` on.
    pub(super) async fn pending_webhook(
        &self,
        id: &Arc<str>,
        further: usize,
    ) -> Result<Option<PendingWebhook>, Rejected> {
        let (pending, lines) = {
            let memory = self.lock();
            let payment = memory.payments.get(id).ok_or(Rejected::NotFound)?;
            let number = payment.settled_webhooks + further;
            let pending = payment.history.get(number).map(|change| PendingWebhook {
                number,
                id: Arc::clone(id),
                creation: payment.creation.clone(),
                change: change.clone(),
            });
            (pending, memory.queued_lines)
        };
        self.on_disk(lines).await?;
        Ok(pending)
    }

    /// Marks a webhook, and all before it, as delivered or given up, and returns whether the payment has another. Does not
    /// wait for the disk: after a crash the webhook is sent once more, which a receiver must tolerate anyway.
    pub(super) async fn settle(&self, webhook: &PendingWebhook) -> Result<bool, Rejected> {
        let mut places = self.places(1).await?;
        let mut memory = self.lock();
        let record = Record::WebhooksSettled {
            reference: webhook.id.to_string(),
            count: webhook.number + 1,
        };
        self.record(&mut memory, &mut places, record);
        let payment = &memory.payments[&webhook.id];
        Ok(payment.settled_webhooks < payment.history.len())
    }

    pub(super) async fn journal_failed(&self) {
        match &self.journal {
            Some(journal) => journal.failed().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::has_failed)
    }

    /// Does to the payment what the clock does, and returns the time.
    fn tick(
        &self,
        memory: &mut Memory,
        places: &mut Option<Places<'_>>,
        id: &str,
    ) -> Result<DateTime<Utc>, Rejected> {
        let now = Utc::now();
        for _ in 0..CLOCK_AT_ONCE {
            let payment = memory.payments.get(id).ok_or(Rejected::NotFound)?;
            let Some(change) = payment.due(now) else { break };
            let reference = id.to_owned();
            self.record(memory, places, Record::Changed { reference, change });
        }
        Ok(now)
    }

    /// Applies a new record and queues it.
    fn record(&self, memory: &mut Memory, places: &mut Option<Places<'_>>, record: Record) {
        if let Some(place) = places.as_mut().and_then(Iterator::next) {
            #[expect(
                clippy::expect_used,
                reason = "records hold texts, numbers and times, and no map keys"
            )]
            let mut line = serde_json::to_vec(&record).expect("a record is JSON");
            line.push(b'\n');
            place.send(line);
            memory.queued_lines += 1;
        }
        let settles = matches!(record, Record::WebhooksSettled { .. });
        let reference = record.reference().to_owned();
        #[expect(
            clippy::expect_used,
            reason = "callers hold the lock and have looked the payment up"
        )]
        memory.apply(record).expect("a new record fits the payments");
        // Only the payment's first undelivered webhook puts it into the outbox. With more, the delivery task has it already.
        let payment = memory.payments.get_key_value(reference.as_str());
        let first = payment.filter(|(_, payment)| payment.settled_webhooks + 1 == payment.history.len());
        if let Some((reference, _)) = first.filter(|_| !settles) {
            let reference = Arc::clone(reference);
            memory.outbox.push_back(reference);
            self.outbox_filled.notify_one();
        }
    }

    async fn places(&self, count: usize) -> Result<Option<Places<'_>>, Rejected> {
        match &self.journal {
            Some(journal) => Ok(Some(journal.places(count).await?)),
            None => Ok(None),
        }
    }

    async fn on_disk(&self, lines: u64) -> Result<(), Rejected> {
        match &self.journal {
            Some(journal) => Ok(journal.flushed(lines).await?),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
