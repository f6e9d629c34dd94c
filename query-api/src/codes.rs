//! The QR codes of licenses. A row is signed when it is shown, so that the code is always of the row as it is now, under a
//! key that is valid now. The same row under the same key gives the same code.

use chrono::{NaiveDate, Utc};
use documents::qr::{Payload, short_hash};
use query::Record;
use serde::Deserialize;
use serde_json::Value;
use service::problem::Problem;
use uuid::Uuid;

use crate::keys::{Ring, Signer};

/// The column of a code.
pub(crate) const CODE: &str = "qr";

/// What the column holds before it is signed.
#[derive(Deserialize)]
struct Material {
    license_id: Uuid,
    license_type: String,
    club_id: Uuid,
    activity_date: NaiveDate,
    activity_days: u8,
    name: String,
    birth_date: NaiveDate,
    vehicle: Option<Vehicle>,
}

/// The numbers of a vehicle.
#[derive(Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the row's JSON")]
pub(crate) struct Vehicle {
    registration: Option<String>,
    vehicle_license: Option<String>,
    chassis: Option<String>,
}

impl Vehicle {
    /// The number that the vehicle is compared by: that of its plate, else of its license, else of its chassis.
    pub(crate) fn number(&self) -> Option<&str> {
        [&self.registration, &self.vehicle_license, &self.chassis]
            .into_iter()
            .find_map(Option::as_deref)
    }
}

/// Signs the code of a row that was asked for it.
pub(crate) fn with_code(signer: Option<&Signer>) -> impl FnMut(&mut Record) -> Result<(), Problem> {
    let ring = signer.map(Signer::ring);
    move |row| {
        if row.has(CODE) {
            let ring = ring.as_deref().ok_or_else(keys_missing)?;
            row.replace(CODE, |material| {
                code(ring, &material).map_or(Value::Null, Value::from)
            });
        }
        Ok(())
    }
}

/// The code of a license. `None` if it is revoked, if its holder is erased, or if no key is for its days.
pub(crate) fn code(ring: &Ring, material: &Value) -> Option<String> {
    let license = Material::deserialize(material).ok()?;
    let vehicle = license.vehicle.unwrap_or_default();
    let vehicle = vehicle.number();
    let payload = Payload {
        key_id: 0,
        license_id: license.license_id,
        license_type: short_hash(license.license_type.as_bytes()),
        club: short_hash(license.club_id.as_bytes()),
        first_day: license.activity_date,
        days: license.activity_days,
        birth_date: license.birth_date,
        vehicle: vehicle.map_or([0; 4], |number| short_hash(number.as_bytes())),
        name: license.name,
    };
    ring.licenses.code(Utc::now(), &payload)
}

/// 503: this service was started without keys.
pub(crate) fn keys_missing() -> Problem {
    Problem::unavailable(
        "license_keys_missing",
        "Lisenskoder kan ikke lages her ennå.",
        "License codes cannot be made here yet.",
    )
}
