//! Forgetting people.
//!
//! What is needed is not forgotten: an order under way and a license whose day is ahead refuse, until they are refunded,
//! revoked or over.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use events::{ErasedIn, ErasureGround, PersonErased, PersonEvent, aggregate_type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aggregate::aggregate;
use crate::holder::HolderKey;
use crate::refusal::Refusal;

/// A person whose personal data was erased, perhaps several times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    erasures: BTreeSet<Uuid>,
}

/// What a person can be asked to do.
#[derive(Clone, Debug)]
pub enum PersonCommand {
    /// Record an erasure. One that is recorded already changes nothing.
    Erase {
        /// Names it.
        erasure_id: Uuid,
        /// Why.
        ground: ErasureGround,
        /// Where the data is.
        aggregates: Vec<ErasedIn>,
    },
}

/// Asks an aggregate to forget a holder.
#[derive(Clone)]
pub struct EraseHolder {
    /// Whom.
    pub holder_id: Uuid,
    /// Makes the ids of holders that were recorded without.
    pub holder_key: Arc<HolderKey>,
    /// The day in Norway.
    pub today: NaiveDate,
    /// Also what is still needed: the erasure was decided before, in a log that was lost.
    pub decided_before: bool,
}

aggregate!(Person: aggregate_type::PERSON, PersonCommand => PersonEvent);

impl Person {
    /// Whether this erasure is recorded.
    pub fn has(&self, erasure_id: Uuid) -> bool {
        self.erasures.contains(&erasure_id)
    }

    fn decide(&self, command: PersonCommand) -> Result<Option<PersonEvent>, Refusal> {
        let PersonCommand::Erase {
            erasure_id,
            ground,
            aggregates,
        } = command;
        if self.has(erasure_id) {
            return Ok(None);
        }
        let erased = PersonErased {
            erasure_id,
            ground,
            aggregates,
        };
        Ok(Some(erased.into()))
    }

    fn evolve(&mut self, event: PersonEvent) {
        let PersonEvent::PersonErased(erased) = event;
        self.erasures.insert(erased.erasure_id);
    }
}

#[cfg(test)]
mod tests;
