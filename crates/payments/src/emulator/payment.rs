//! One payment: its rules, decided without I/O and recorded as changes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The largest amount taken, in øre.
pub(super) const MAX_AMOUNT_ORE: i64 = 100_000_000_000;
/// More idempotency keys on one payment than this are refused, so that a payment can't grow without end.
const MAX_CHANGES: usize = 1000;

/// What a payment was created with. Immutable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Creation {
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
    Decline,
    Capture(i64),
    Refund(i64),
    Cancel { only_if_not_authorized: bool },
}

/// What happened, in the words of the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Name {
    Created,
    Authorized,
    Aborted,
    Expired,
    Terminated,
    Cancelled,
    Captured,
    Refunded,
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
            name: Name::Created,
            amount_ore: creation.amount_ore,
            psp_reference: creation.psp_reference,
            at: creation.at,
            key: None,
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
            creation,
        }
    }

    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.now.state == State::Created && now >= self.creation.expires_at
    }

    pub(super) fn count(&self, name: Name) -> usize {
        self.history.iter().filter(|change| change.name == name).count()
    }

    /// What `request` leads to, under the merchant's `key` if it is a merchant's.
    pub(super) fn decide(&self, request: Request, key: Option<&str>) -> Result<Decision, OperationRefused> {
        if let Some((used_for, answer)) = key.and_then(|key| self.answers.get(key)) {
            return if *used_for == request {
                Ok(Decision::Known(*answer))
            } else {
                Err(OperationRefused::KeyReused)
            };
        }
        if self.history.len() > MAX_CHANGES {
            return Err(OperationRefused::TooManyChanges);
        }
        match request {
            Request::Approve => self.answer_of_customer(Name::Authorized, State::Authorized),
            Request::Decline => self.answer_of_customer(Name::Aborted, State::Aborted),
            Request::Capture(amount_ore) => {
                let (left, exceeds) = (self.left_to_capture(), OperationRefused::ExceedsAuthorized);
                self.modify(Name::Captured, amount_ore, left, exceeds)
            }
            Request::Refund(amount_ore) => {
                let (left, exceeds) = (self.left_to_refund(), OperationRefused::ExceedsCaptured);
                self.modify(Name::Refunded, amount_ore, left, exceeds)
            }
            Request::Cancel {
                only_if_not_authorized,
            } => self.cancel(only_if_not_authorized),
        }
    }

    /// A button may be pressed twice; the second press changes nothing.
    fn answer_of_customer(&self, name: Name, leads_to: State) -> Result<Decision, OperationRefused> {
        match self.now.state {
            State::Created => Ok(Decision::Happens(name, self.creation.amount_ore)),
            state if state == leads_to => Ok(Decision::Known(self.now)),
            _ => Err(OperationRefused::NotWaiting),
        }
    }

    /// Captures or refunds an amount, of which at most `left` is possible.
    fn modify(
        &self,
        name: Name,
        amount_ore: i64,
        left: i64,
        exceeds: OperationRefused,
    ) -> Result<Decision, OperationRefused> {
        self.must_be_authorized()?;
        if amount_ore <= 0 {
            return Err(OperationRefused::Amount);
        }
        if amount_ore > left {
            return Err(exceeds);
        }
        Ok(Decision::Happens(name, amount_ore))
    }

    /// Before approval a cancel ends the payment. After it, a cancel releases what is not captured and the state stays; with
    /// `cancelTransactionOnly` it is refused.
    fn cancel(&self, only_if_not_authorized: bool) -> Result<Decision, OperationRefused> {
        if self.now.state == State::Created {
            return Ok(Decision::Happens(Name::Terminated, self.creation.amount_ore));
        }
        self.must_be_authorized()?;
        if only_if_not_authorized {
            return Err(OperationRefused::Authorized);
        }
        let left = self.left_to_capture();
        if left == 0 {
            return Err(OperationRefused::NothingToCancel);
        }
        Ok(Decision::Happens(Name::Cancelled, left))
    }

    fn must_be_authorized(&self) -> Result<(), OperationRefused> {
        if self.now.state == State::Authorized {
            Ok(())
        } else {
            Err(OperationRefused::NotAuthorized)
        }
    }

    pub(super) fn left_to_refund(&self) -> i64 {
        self.now.aggregate.captured_ore - self.now.aggregate.refunded_ore
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
            Name::Created => {}
            Name::Authorized => {
                *state = State::Authorized;
                aggregate.authorized_ore = change.amount_ore;
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
        }
        *psp_reference = change.psp_reference;
        if let Some(key) = &change.key {
            self.answers.insert(key.value.clone(), (key.request, self.now));
        }
        self.history.push(change);
    }
}

#[cfg(test)]
mod tests;
