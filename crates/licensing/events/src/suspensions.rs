//! Suspensions of people and vehicles.

use chrono::NaiveDate;
use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::declare::events;
use crate::people::Vehicle;

events! {
    /// What happens to a suspension.
    pub enum SuspensionEvent {
        /// A person or a vehicle gets no licenses. Status `active`.
        SuspensionImposed: "1",
        /// Staff ended the suspension. Status `lifted`.
        SuspensionLifted: "1",
        /// The suspended person is forgotten. The suspension goes on: it knows the person by a keyed hash.
        SuspensionPersonErased: "1",
    }
}

/// A person or a vehicle gets no licenses.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct SuspensionImposed {
    /// Whom or what it names: the holder's id, or a keyed hash of each number of the vehicle.
    pub subjects: Vec<Uuid>,
    /// The person, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<SuspendedPerson>,
    /// The vehicle, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    /// Why, in the words of the person who decided.
    pub reason: Personal<String>,
    /// Its last day, local date in Norway; without one it lasts until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

/// A suspended person.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct SuspendedPerson {
    /// Full name.
    pub name: Personal<String>,
    /// Birth date.
    pub birth_date: Personal<NaiveDate>,
}

/// Staff ended the suspension.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct SuspensionLifted {
    /// Why, in the words of the person who decided.
    pub reason: Personal<String>,
}

/// The suspended person is forgotten, by name and birth date.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct SuspensionPersonErased {
    /// The person, by the holder's id.
    pub person_id: Uuid,
}
