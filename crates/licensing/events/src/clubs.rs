//! Clubs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::declare::events;

events! {
    /// What happens to a club.
    pub enum ClubEvent {
        /// The club can organize activities.
        ClubRegistered: "1",
    }
}

/// The club can organize activities.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClubRegistered {
    /// Name, as people write it.
    pub name: String,
}
