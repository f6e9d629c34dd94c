//! Users: who logs in. Their roles here go before those of their tokens.

use chrono::{DateTime, Utc};
use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{Language, UserRole};

use crate::declare::events;

events! {
    /// What happens to a user.
    pub enum UserEvent {
        /// The user's contact data is another one.
        UserContactChanged: "1",
        /// An administrator has said which roles the user has.
        UserRolesSet: "1",
        /// Tokens from before this are not accepted any more.
        UserSessionsRevoked: "1",
        /// The user's contact data is forgotten.
        UserErased: "1",
    }
}

/// The user's contact data is another one: all of it, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct UserContactChanged {
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// Phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal<String>>,
    /// The language of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// An administrator has said which roles the user has. From now on the roles of the user's tokens do not count.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct UserRolesSet {
    /// All roles of the user, each once.
    pub roles: Vec<UserRole>,
    /// The clubs that an organizer acts for, each once.
    pub club_ids: Vec<Uuid>,
}

/// Tokens that were issued before this moment are not accepted any more.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct UserSessionsRevoked {
    /// The moment.
    pub revoked_at: DateTime<Utc>,
}

/// The user's contact data is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct UserErased {}
