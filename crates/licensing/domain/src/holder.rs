//! Who a holder is, without saying it: a keyed hash of what makes two spellings one person.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use chrono::NaiveDate;
use envelope::Personal;
use events::{Holder, Vehicle};
use uuid::{Builder, Uuid};

use crate::people::{RequestedHolder, RequestedVehicle};
use crate::refusal::Rule;
use crate::typed::{self, holder_identity};

/// The fewest bytes of a key.
pub const HOLDER_KEY_MIN_BYTES: usize = 32;

/// The installation's key for holder ids. With another key the same person is another holder, so it never changes.
#[derive(Clone)]
pub struct HolderKey(Key);

impl fmt::Debug for HolderKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HolderKey")
    }
}

impl HolderKey {
    /// The key with these bytes; `None` if they are too few to keep names and birth dates from being guessed.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= HOLDER_KEY_MIN_BYTES).then(|| Self(Key::new(HMAC_SHA256, bytes)))
    }

    /// The id of this person: the same for every spelling of the name in case, space and Unicode form.
    pub fn holder_id(&self, holder: &Holder) -> Uuid {
        self.person_id(holder.name.expose(), *holder.birth_date.expose())
    }

    /// The id of the person with this name and birth date.
    pub(crate) fn person_id(&self, name: &str, birth_date: NaiveDate) -> Uuid {
        self.id(&holder_identity(name, birth_date))
    }

    /// The id of each number of a vehicle.
    pub(crate) fn vehicle_ids<'a>(&'a self, vehicle: &'a Vehicle) -> impl Iterator<Item = Uuid> + 'a {
        let numbers = [
            ("registration", &vehicle.registration),
            ("vehicle_license", &vehicle.vehicle_license),
            ("chassis", &vehicle.chassis),
        ];
        numbers.into_iter().filter_map(|(kind, number)| {
            let number = number.as_ref()?.expose();
            // No name holds a line break, so no vehicle has a person's id.
            Some(self.id(&format!("vehicle\n{kind}\n{number}")))
        })
    }

    /// The ids by which suspensions know a person and a vehicle, as somebody typed them. What breaks a rule has none.
    pub(crate) fn asked(
        &self,
        holder: Option<&RequestedHolder>,
        vehicle: Option<&RequestedVehicle>,
    ) -> BTreeSet<Uuid> {
        let person = holder.map(|holder| self.person_id(&holder.name, holder.birth_date));
        let vehicle = vehicle.map(typed_vehicle).unwrap_or_default();
        person.into_iter().chain(self.vehicle_ids(&vehicle)).collect()
    }

    /// What is the same for the same key only, and does not reveal it.
    pub fn fingerprint(&self) -> Uuid {
        self.id("fingerprint of the key")
    }

    fn id(&self, of: &str) -> Uuid {
        let mut bytes = [0; 16];
        let tag = sign(&self.0, of.as_bytes());
        bytes.copy_from_slice(&tag.as_ref()[..16]);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The numbers that are well-formed.
fn typed_vehicle(asked: &RequestedVehicle) -> Vehicle {
    let number = |given: &Option<String>, check: fn(&str) -> Result<String, Rule>| {
        check(given.as_ref()?).ok().map(Personal::new)
    };
    Vehicle {
        registration: number(&asked.registration, typed::registration),
        vehicle_license: number(&asked.vehicle_license, typed::vehicle_license),
        chassis: number(&asked.chassis, typed::chassis),
    }
}
