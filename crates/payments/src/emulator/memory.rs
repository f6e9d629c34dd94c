//! The state that follows from the journal's records. New and replayed records are applied by the same code.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::journal::Record;
use super::payment::{Name, Payment};

#[derive(Default)]
pub(super) struct Memory {
    /// By the provider's id.
    pub(super) payments: HashMap<Arc<str>, Payment>,
    /// All payments, oldest first.
    pub(super) order: Vec<Arc<str>>,
    /// The payments of a merchant's reference. Only Nexi gives several.
    pub(super) by_reference: HashMap<String, Vec<Arc<str>>>,
    /// The payment that each charge at Nexi is of.
    pub(super) charges: HashMap<Uuid, Arc<str>>,
    /// Idempotency keys of creates at Vipps, with the payment each was used for.
    pub(super) create_keys: HashMap<String, Arc<str>>,
    /// Payments that the clock does something to, the soonest first.
    pub(super) waiting: BTreeSet<(DateTime<Utc>, Arc<str>)>,
    /// Payments with an undelivered webhook that the delivery task has not taken yet.
    pub(super) outbox: VecDeque<Arc<str>>,
    pub(super) queued_lines: u64,
}

impl Memory {
    /// Applies a record, new or replayed.
    pub(super) fn apply(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Created(creation) => {
                let id: Arc<str> = creation.id().into();
                if creation.nexi.is_none() {
                    let key = creation.idempotency_key.clone();
                    self.create_keys.insert(key, Arc::clone(&id));
                }
                self.order.push(Arc::clone(&id));
                let same_reference = self.by_reference.entry(creation.reference.clone());
                same_reference.or_default().push(Arc::clone(&id));
                let payment = Payment::new(creation);
                self.waiting
                    .extend(payment.deadline().map(|at| (at, Arc::clone(&id))));
                self.payments.insert(id, payment);
            }
            Record::Changed { reference, change } => {
                let (id, payment) = self.existing(&reference)?;
                let charge = (change.name == Name::Captured && payment.creation.nexi.is_some())
                    .then_some(change.psp_reference);
                let before = payment.deadline();
                payment.apply(change);
                let after = payment.deadline();
                if before != after {
                    if let Some(at) = before {
                        self.waiting.remove(&(at, Arc::clone(&id)));
                    }
                    self.waiting.extend(after.map(|at| (at, Arc::clone(&id))));
                }
                self.charges.extend(charge.map(|charge| (charge, id)));
            }
            Record::WebhooksSettled { reference, count } => {
                let (_, payment) = self.existing(&reference)?;
                payment.settled_webhooks = count.clamp(payment.settled_webhooks, payment.history.len());
            }
        }
        Ok(())
    }

    fn existing(&mut self, reference: &str) -> Result<(Arc<str>, &mut Payment), String> {
        let key = self
            .payments
            .get_key_value(reference)
            .map(|(key, _)| Arc::clone(key));
        let key = key.ok_or_else(|| format!("unknown payment {reference}"))?;
        #[expect(clippy::expect_used, reason = "found one line above")]
        let payment = self.payments.get_mut(&key).expect("the payment is there");
        Ok((key, payment))
    }
}
