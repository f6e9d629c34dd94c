//! All payments in memory, backed by the journal.
//!
//! **Invariant:** a change is applied and queued for the journal under one lock, and every method returns only when
//! what it read or changed is on disk. So no answer reports a change that a crash could undo.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::journal::{Failed, Journal, Places, Record};
use super::memory::Memory;
use super::payment::{Change, Creation, Decision, Key, Name, OperationRefused, Payment, Request, Standing};
use super::{Error, Options};

/// Payments expired in one step, so that the lock is never held long.
const EXPIRED_AT_ONCE: usize = 100;

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
}

/// Why the store refuses a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejected {
    #[error("no payment has this reference")]
    NotFound,
    #[error("a payment with this reference exists")]
    ReferenceTaken,
    #[error("the emulator holds as many payments as it may")]
    Full,
    #[error(transparent)]
    Refused(#[from] OperationRefused),
    #[error("the emulator can't write its journal")]
    Journal,
}

impl From<Failed> for Rejected {
    fn from(_: Failed) -> Self {
        Self::Journal
    }
}

/// A webhook to send: the `number`th (from 0) of its payment.
pub(super) struct PendingWebhook {
    pub(super) number: usize,
    pub(super) reference: Arc<str>,
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
            if let Some(reference) = memory.create_keys.get(&new.idempotency_key) {
                let known = memory
                    .payments
                    .get(reference)
                    .map(|payment| &payment.creation.fingerprint);
                if known != Some(&new.fingerprint) {
                    return Err(OperationRefused::KeyReused.into());
                }
            } else if memory.payments.contains_key(new.reference.as_str()) {
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
                };
                self.record(&mut memory, &mut places, Record::Created(creation));
            }
            memory.queued_lines
        };
        drop(places);
        self.on_disk(lines).await
    }

    /// Decides and records a change, and returns the payment's state after it.
    pub(super) async fn change(
        &self,
        reference: &str,
        request: Request,
        key: Option<&str>,
    ) -> Result<Standing, Rejected> {
        let mut places = self.places(2).await?;
        let (decided, lines) = {
            let mut memory = self.lock();
            let now = self.expire_if_due(&mut memory, &mut places, reference)?;
            let payment = &memory.payments[reference];
            let decided = payment.decide(request, key).map(|decision| match decision {
                Decision::Known(standing) => standing,
                Decision::Happens(name, amount_ore) => {
                    let key = key.map(|value| Key {
                        value: value.to_owned(),
                        request,
                    });
                    let change = Change {
                        name,
                        amount_ore,
                        psp_reference: Uuid::new_v4(),
                        at: now,
                        key,
                    };
                    let record = Record::Changed {
                        reference: reference.to_owned(),
                        change,
                    };
                    self.record(&mut memory, &mut places, record);
                    memory.payments[reference].now
                }
            });
            (decided, memory.queued_lines)
        };
        drop(places);
        self.on_disk(lines).await?;
        Ok(decided?)
    }

    /// The payment's present state.
    pub(super) async fn get(&self, reference: &str) -> Result<Payment, Rejected> {
        let mut places = self.places(1).await?;
        let (payment, lines) = {
            let mut memory = self.lock();
            self.expire_if_due(&mut memory, &mut places, reference)?;
            (memory.payments[reference].clone(), memory.queued_lines)
        };
        drop(places);
        self.on_disk(lines).await?;
        Ok(payment)
    }

    /// Ends the payments whose time is up.
    pub(super) async fn expire_due(&self) -> Result<(), Rejected> {
        loop {
            let due: Vec<Arc<str>> = {
                let (memory, now) = (self.lock(), Utc::now());
                let waiting = memory.waiting.iter().take(EXPIRED_AT_ONCE);
                waiting
                    .take_while(|(end, _)| *end <= now)
                    .map(|(_, reference)| Arc::clone(reference))
                    .collect()
            };
            if due.is_empty() {
                return Ok(());
            }
            for reference in due {
                self.get(&reference).await?;
            }
        }
    }

    /// Takes the payments with webhooks to send. The caller sends the webhooks of each until [`Store::settle`] reports that
    /// none is left.
    pub(super) fn take_outbox(&self) -> VecDeque<Arc<str>> {
        std::mem::take(&mut self.lock().outbox)
    }

    /// The first webhook of the payment that is not settled.
    pub(super) async fn pending_webhook(
        &self,
        reference: &Arc<str>,
    ) -> Result<Option<PendingWebhook>, Rejected> {
        let (pending, lines) = {
            let memory = self.lock();
            let payment = memory.payments.get(reference).ok_or(Rejected::NotFound)?;
            let number = payment.settled_webhooks;
            let pending = payment.history.get(number).map(|change| PendingWebhook {
                number,
                reference: Arc::clone(reference),
                change: change.clone(),
            });
            (pending, memory.queued_lines)
        };
        self.on_disk(lines).await?;
        Ok(pending)
    }

    /// Marks a webhook as delivered or given up, and returns whether the payment has another. Does not wait for the disk:
    /// after a crash the webhook is sent once more, which a receiver must tolerate anyway.
    pub(super) async fn settle(&self, webhook: &PendingWebhook) -> Result<bool, Rejected> {
        let mut places = self.places(1).await?;
        let mut memory = self.lock();
        let reference = webhook.reference.to_string();
        let record = Record::WebhooksSettled {
            reference,
            count: webhook.number + 1,
        };
        self.record(&mut memory, &mut places, record);
        let payment = &memory.payments[&webhook.reference];
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

    /// Ends the payment if its time is up, and returns the time.
    fn expire_if_due(
        &self,
        memory: &mut Memory,
        places: &mut Option<Places<'_>>,
        reference: &str,
    ) -> Result<DateTime<Utc>, Rejected> {
        let payment = memory.payments.get(reference).ok_or(Rejected::NotFound)?;
        let at = Utc::now();
        if payment.is_due(at) {
            let (name, amount_ore) = (Name::Expired, payment.creation.amount_ore);
            let change = Change {
                name,
                amount_ore,
                psp_reference: Uuid::new_v4(),
                at,
                key: None,
            };
            let reference = reference.to_owned();
            self.record(memory, places, Record::Changed { reference, change });
        }
        Ok(at)
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
