//! People and their vehicles, as an order names them.

use chrono::NaiveDate;
use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who a license is for. Never a national identity number.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Holder {
    /// Full name.
    pub name: Personal<String>,
    /// Birth date.
    pub birth_date: Personal<NaiveDate>,
    /// Phone, as given, trimmed. A holder has a phone, an e-mail address, or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal<String>>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// The guardian of a holder under 18 on the activity day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardian: Option<Guardian>,
}

/// The guardian of a minor, who has consented.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Guardian {
    /// Full name.
    pub name: Personal<String>,
    /// Phone.
    pub phone: Personal<String>,
    /// Whether the guardian has declared their consent; an order without it is refused.
    pub consent: bool,
}

/// The vehicle of a driver: at least one of the three is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Vehicle {
    /// Registration number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Personal<String>>,
    /// Number of the vehicle's own license (vognlisens).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_license: Option<Personal<String>>,
    /// Chassis number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Personal<String>>,
}

impl Holder {
    /// All of it as data of this person, the guardian's too: it is there because of the holder.
    #[must_use]
    pub fn belonging_to(self, person: Uuid) -> Self {
        let own = |field: Option<Personal<String>>| field.map(|value| value.belonging_to(person));
        Self {
            name: self.name.belonging_to(person),
            birth_date: self.birth_date.belonging_to(person),
            phone: own(self.phone),
            email: own(self.email),
            guardian: self.guardian.map(|guardian| Guardian {
                name: guardian.name.belonging_to(person),
                phone: guardian.phone.belonging_to(person),
                consent: guardian.consent,
            }),
        }
    }

    /// A holder of whom nothing is known any more.
    pub fn erased() -> Self {
        Self {
            name: Personal::erased(),
            birth_date: Personal::erased(),
            phone: None,
            email: None,
            guardian: None,
        }
    }
}

impl Vehicle {
    /// All of it as data of this person.
    #[must_use]
    pub fn belonging_to(self, person: Uuid) -> Self {
        let own = |field: Option<Personal<String>>| field.map(|value| value.belonging_to(person));
        Self {
            registration: own(self.registration),
            vehicle_license: own(self.vehicle_license),
            chassis: own(self.chassis),
        }
    }
}
