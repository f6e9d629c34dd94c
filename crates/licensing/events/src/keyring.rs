//! The master keys of personal data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::declare::events;

events! {
    /// What happens to the master keys.
    pub enum KeyringEvent {
        /// An operator has wrapped all data keys again by this master key.
        MasterKeyRotated: "1",
    }
}

/// An operator has wrapped all data keys again by this master key.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct MasterKeyRotated {
    /// The name of the master key, as its file has it.
    pub master_key: String,
    /// How many data keys were wrapped again.
    pub data_keys: u64,
}
