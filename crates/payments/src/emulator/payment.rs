//! One payment: its rules, decided without I/O and recorded as changes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::faults::Provider;

/// The largest amount taken, in øre.
pub(super) const MAX_AMOUNT_ORE: i64 = 100_000_000_000;
/// More idempotency keys on one payment than this are refused, so that a payment can't grow without end.
const MAX_CHANGES: usize = 1000;

/// What a payment was created with. Immutable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Creation {
    /// The merchant's name for it.
    pub(super) reference: String,
    pub(super) idempotency_key: String,
    /// Distinguishes a repeated request from another request under the same key.
    pub(super) fingerprint: String,
    pub(super) amount_ore: i64,
    pub(super) description: String,
    pub(super) return_url: String,
    pub(super) psp_reference: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    /// Only of a payment at Nexi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nexi: Option<AtNexi>,
}

/// What Nexi keeps of a payment, besides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AtNexi {
    pub(super) payment_id: String,
    pub(super) cancel_url: String,
    pub(super) webhooks: Vec<Subscription>,
}

/// Where an event of a payment is sent.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) event: String,
    pub(super) url: String,
    pub(super) authorization: String,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.event)
    }
}

impl Creation {
    /// The payment's id at its provider: at Vipps, the merchant's reference.
    pub(super) fn id(&self) -> &str {
        self.nexi
            .as_ref()
            .map_or(&self.reference, |nexi| &nexi.payment_id)
    }

    pub(super) fn provider(&self) -> Provider {
        if self.nexi.is_some() {
            Provider::Nexi
        } else {
            Provider::Vipps
        }
    }
}

/// Something that happened to a payment after its creation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) name: Name,
    pub(super) amount_ore: i64,
    pub(super) psp_reference: Uuid,
    pub(super) at: DateTime<Utc>,
    /// The merchant's key; absent if the customer or the clock did it.
    pub(super) key: Option<Key>,
    /// The charge that a refund gives back; only at Nexi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<Uuid>,
    /// The refund that has ended, of a refund that took time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Uuid>,
    /// What the clock does later: it ends the reservation that was made, or the refund that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) later: Option<Later>,
}

/// Something that the clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Later {
    pub(super) at: DateTime<Utc>,
    /// Whether a refund fails.
    pub(super) fails: bool,
}

impl Change {
    /// A change by the customer or the clock.
    pub(super) fn new(name: Name, amount_ore: i64, at: DateTime<Utc>) -> Self {
        Self {
            name,
            amount_ore,
            psp_reference: Uuid::new_v4(),
            at,
            key: None,
            charge: None,
            ends: None,
            later: None,
        }
    }
}

/// An idempotency key and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) value: String,
    pub(super) request: Request,
}

/// What a merchant or a customer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Approve,
    /// Approves another amount than was asked for.
    ApproveOther(i64),
    Decline,
    Capture(i64),
    Refund(i64),
    /// Gives back a part of a charge.
    RefundOf(i64, Uuid),
    Cancel {
        only_if_not_authorized: bool,
    },
    /// Cancels a reservation if exactly this is left of it.
    Release(i64),
}

impl Request {
    /// The charge that it is about.
    pub(super) fn charge(self) -> Option<Uuid> {
        match self {
            Self::RefundOf(_, charge) => Some(charge),
            _ => None,
        }
    }
}

/// What happened, in the words of the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Name {
    Created,
    Authorized,
    Aborted,
    Expired,
    Terminated,
    Cancelled,
    Captured,
    Refunded,
    /// An attempt of the customer failed; the payment still waits. Only at Nexi, as the next two.
    ReservationFailed,
    RefundStarted,
    RefundFailed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum State {
    Created,
    Authorized,
    Aborted,
    Expired,
    Terminated,
}

/// The sums.
#[expect(clippy::struct_field_names, reason = "units stand last in every name")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Aggregate {
    pub(super) authorized_ore: i64,
    pub(super) captured_ore: i64,
    pub(super) cancelled_ore: i64,
    pub(super) refunded_ore: i64,
}

/// The state right after a change: the answer to the change, and to each repetition of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) aggregate: Aggregate,
    pub(super) psp_reference: Uuid,
}

#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) creation: Creation,
    pub(super) now: Standing,
    /// Everything that happened, creation first: what webhooks are made of.
    pub(super) history: Vec<Change>,
    /// How many of `history` need no (further) delivery.
    pub(super) settled_webhooks: usize,
    answers: BTreeMap<String, (Request, Standing)>,
    reservation_ends: Option<DateTime<Utc>>,
    /// Refunds that have begun and not ended.
    refunding: Vec<Change>,
}

/// Why a request is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OperationRefused {
    #[error("the payment is not waiting for the customer")]
    NotWaiting,
    #[error("the payment is not authorized")]
    NotAuthorized,
    #[error("the amount must be above zero")]
    Amount,
    #[error("the amount exceeds what is authorized and neither captured nor cancelled")]
    ExceedsAuthorized,
    #[error("the amount exceeds what is captured and not refunded")]
    ExceedsCaptured,
    #[error("the payment is authorized, and only a transaction that is not was to be cancelled")]
    Authorized,
    #[error("nothing is left to cancel")]
    NothingToCancel,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the payment has been changed too many times")]
    TooManyChanges,
    #[error("the payment has no such charge")]
    NoSuchCharge,
    #[error("the amount is not exactly what is left of the reservation")]
    NotTheRest,
}

/// The outcome of a decision.
#[derive(Debug)]
pub(super) enum Decision {
    /// A new change.
    Happens(Name, i64),
    /// A repetition: the answer of the first time.
    Known(Standing),
}

impl Payment {
    pub(super) fn new(creation: Creation) -> Self {
        let created = Change {
            psp_reference: creation.psp_reference,
            ..Change::new(Name::Created, creation.amount_ore, creation.at)
        };
        Self {
            now: Standing {
                state: State::Created,
                aggregate: Aggregate::default(),
                psp_reference: creation.psp_reference,
            },
            history: vec![created],
            settled_webhooks: 0,
            answers: BTreeMap::new(),
            reservation_ends: None,
            refunding: Vec::new(),
            creation,
        }
    }

    pub(super) fn count(&self, name: Name) -> usize {
        self.history.iter().filter(|change| change.name == name).count()
    }

    pub(super) fn left_to_refund(&self) -> i64 {
        let refunding: i64 = self.refunding.iter().map(|refund| refund.amount_ore).sum();
        self.now.aggregate.captured_ore - self.now.aggregate.refunded_ore - refunding
    }

    /// What of a charge was not given back; none if there is no such charge.
    fn left_of(&self, charge: Uuid) -> Option<i64> {
        let charged = self.charges().find(|change| change.psp_reference == charge)?;
        let refunded = self
            .history
            .iter()
            .filter(|change| change.charge == Some(charge))
            .filter(|change| match change.name {
                Name::Refunded => true,
                Name::RefundStarted => self.is_refunding(change.psp_reference),
                _ => false,
            });
        Some(charged.amount_ore - refunded.map(|change| change.amount_ore).sum::<i64>())
    }

    pub(super) fn charges(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.history.iter().filter(|change| change.name == Name::Captured)
    }

    /// The charges with something left to give back, newest first: a person looks at the newest.
    pub(super) fn refundable(&self) -> Vec<(Uuid, i64)> {
        self.charges()
            .rev()
            .filter_map(|charge| Some((charge.psp_reference, self.left_of(charge.psp_reference)?)))
            .filter(|(_, left)| *left > 0)
            .collect()
    }

    pub(super) fn is_refunding(&self, refund: Uuid) -> bool {
        self.refunding.iter().any(|change| change.psp_reference == refund)
    }

    pub(super) fn left_to_capture(&self) -> i64 {
        self.now.aggregate.authorized_ore - self.now.aggregate.captured_ore - self.now.aggregate.cancelled_ore
    }

    /// Applies a change, new or replayed.
    pub(super) fn apply(&mut self, change: Change) {
        let Standing {
            state,
            aggregate,
            psp_reference,
        } = &mut self.now;
        match change.name {
            Name::Created | Name::ReservationFailed | Name::RefundFailed => {}
            Name::Authorized => {
                *state = State::Authorized;
                aggregate.authorized_ore = change.amount_ore;
                self.reservation_ends = change.later.map(|later| later.at);
            }
            Name::Aborted => *state = State::Aborted,
            Name::Expired => *state = State::Expired,
            Name::Terminated => {
                *state = State::Terminated;
                aggregate.cancelled_ore = change.amount_ore;
            }
            Name::Cancelled => aggregate.cancelled_ore += change.amount_ore,
            Name::Captured => aggregate.captured_ore += change.amount_ore,
            Name::Refunded => aggregate.refunded_ore += change.amount_ore,
            Name::RefundStarted => self.refunding.push(change.clone()),
        }
        if change.ends.is_some() {
            self.refunding
                .retain(|refund| Some(refund.psp_reference) != change.ends);
        }
        *psp_reference = change.psp_reference;
        if let Some(key) = &change.key {
            self.answers.insert(key.value.clone(), (key.request, self.now));
        }
        self.history.push(change);
    }
}

mod clock;
mod rules;
#[cfg(test)]
mod tests;
