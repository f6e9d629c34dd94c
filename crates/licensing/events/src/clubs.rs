//! Clubs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::declare::events;

events! {
    /// What happens to a club.
    pub enum ClubEvent {
        /// The club can organize activities.
        ClubRegistered: "1",
        /// The club has another name. Orders placed before keep the old one.
        ClubRenamed: "1",
        /// The club does not organize activities any more. Status `inactive`.
        ClubDeactivated: "1",
        /// The club organizes activities again. Status `active`.
        ClubActivated: "1",
    }
}

/// The club can organize activities.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClubRegistered {
    /// Name, as people write it.
    pub name: String,
}

/// The club has another name.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClubRenamed {
    /// Name, as people write it.
    pub name: String,
}

/// The club does not organize activities any more: no order names it.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClubDeactivated {}

/// The club organizes activities again.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ClubActivated {}
