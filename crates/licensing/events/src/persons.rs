//! People whose personal data was erased.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::ErasureGround;

use crate::declare::events;

events! {
    /// What happens to a person: a holder, or a user.
    pub enum PersonEvent {
        /// What was recorded of the person until now is to be forgotten.
        PersonErased: "1",
    }
}

/// What was recorded of the person until now is to be forgotten. Recorded together with an event in each aggregate that
/// shows the person.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct PersonErased {
    /// Names this erasure, also in the ledger outside the log.
    pub erasure_id: Uuid,
    /// Why.
    pub ground: ErasureGround,
    /// Where data of the person is: the keys of these aggregates are destroyed.
    pub aggregates: Vec<ErasedIn>,
}

/// An aggregate with data of an erased person.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ErasedIn {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
}
