//! Values of events in the form of the tables: JSON in clear, and the searched text.

use envelope::Personal;
use events::{Guardian, Holder, Vehicle};
use read_model::Term;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio_postgres::types::Json;

/// A guardian in clear.
#[derive(Serialize)]
pub(super) struct ClearGuardian<'a> {
    name: &'a str,
    phone: &'a str,
    consent: bool,
}

pub(super) fn guardian(guardian: &Guardian) -> ClearGuardian<'_> {
    ClearGuardian {
        name: guardian.name.expose(),
        phone: guardian.phone.expose(),
        consent: guardian.consent,
    }
}

/// A vehicle in clear.
#[derive(Serialize)]
pub(super) struct ClearVehicle<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicle_license: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chassis: Option<&'a str>,
}

pub(super) fn vehicle(vehicle: &Vehicle) -> ClearVehicle<'_> {
    ClearVehicle {
        registration: clear(vehicle.registration.as_ref()),
        vehicle_license: clear(vehicle.vehicle_license.as_ref()),
        chassis: clear(vehicle.chassis.as_ref()),
    }
}

/// Personal data in clear.
pub(super) fn clear(personal: Option<&Personal<String>>) -> Option<&str> {
    personal.map(|personal| personal.expose().as_str())
}

/// The JSON that a column holds, written once: it is not read here.
#[expect(
    clippy::expect_used,
    reason = "plain structs of texts, numbers and dates always are JSON"
)]
pub(super) fn column(value: &impl Serialize) -> Json<Box<RawValue>> {
    Json(to_raw_value(value).expect("it is JSON"))
}

/// The searched terms of an order or a license, except its number.
pub(super) fn search_terms<'a>(
    holder: &'a Holder,
    vehicle: Option<&'a Vehicle>,
) -> impl Iterator<Item = Term<'a>> {
    std::iter::once(Term::Words(holder.name.expose()))
        .chain(clear(holder.email.as_ref()).map(Term::Words))
        .chain(clear(holder.phone.as_ref()).map(Term::Phone))
        .chain(numbers(vehicle))
}

/// The searched numbers of a vehicle.
pub(super) fn numbers(vehicle: Option<&Vehicle>) -> impl Iterator<Item = Term<'_>> {
    let of_vehicle =
        vehicle.map(|vehicle| [&vehicle.registration, &vehicle.vehicle_license, &vehicle.chassis]);
    of_vehicle
        .into_iter()
        .flatten()
        .filter_map(|number| clear(number.as_ref()))
        .map(Term::Number)
}
