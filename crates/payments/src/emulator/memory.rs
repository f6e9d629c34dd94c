//! The state that follows from the journal's records. New and replayed records are applied by the same code.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::journal::Record;
use super::payment::Payment;

#[derive(Default)]
pub(super) struct Memory {
    pub(super) payments: HashMap<Arc<str>, Payment>,
    /// Idempotency keys of creates, with the reference each was used for.
    pub(super) create_keys: HashMap<String, Arc<str>>,
    /// Payments that wait for the customer, soonest end first.
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
                let reference: Arc<str> = creation.reference.as_str().into();
                self.create_keys
                    .insert(creation.idempotency_key.clone(), Arc::clone(&reference));
                self.waiting.insert((creation.expires_at, Arc::clone(&reference)));
                self.payments.insert(reference, Payment::new(creation));
            }
            Record::Changed { reference, change } => {
                let (reference, payment) = self.existing(&reference)?;
                payment.apply(change);
                let entry = (payment.creation.expires_at, reference);
                self.waiting.remove(&entry);
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
