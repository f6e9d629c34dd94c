//! Batches: many commands of one kind, each judged by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{BatchKind, ItemOutcome};

use crate::declare::events;

events! {
    /// What happens to a batch.
    pub enum BatchEvent {
        /// All items are received. Status `running`.
        BatchSubmitted: "1",
        /// Some items are done, in their order. Status `done` with the last one.
        BatchItemsDone: "1",
    }
}

/// All items are received. What they say is not in the log: each one that is done leaves its own events.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct BatchSubmitted {
    /// What the items are.
    pub kind: BatchKind,
    /// How many there are.
    pub total: u32,
    /// Whether the items are only judged, and nothing of them is done.
    pub dry_run: bool,
}

/// These items are done.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct BatchItemsDone {
    /// Number of the first of them, from 1.
    pub first: u32,
    /// What became of each.
    pub results: Vec<ItemResult>,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ItemResult {
    /// Whether it is done.
    pub outcome: ItemOutcome,
    /// What it is about: the id of a license, club or suspension, or the code of a license type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The code of the problem, if it failed; how a scan is labelled, if it is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which fields are wrong, if it failed because of some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ItemField>,
}

/// A field of an item that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ItemField {
    /// JSON pointer to it within the item.
    pub pointer: String,
    /// The rule that it breaks.
    pub code: String,
}
