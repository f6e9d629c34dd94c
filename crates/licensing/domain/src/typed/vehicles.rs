//! Registration, vehicle license and chassis numbers: one vehicle has one stored form, however it was typed.

use icu_properties::props::Script;

use super::characters::{is_letter, script};
use super::identity_numbers::has_identity_number;
use crate::refusal::Rule;

/// The longest text that is looked at.
const MAX_BYTES: usize = 256;

/// Longer than the registration of any country.
const MAX_REGISTRATION: usize = 12;

const MAX_NUMBER: usize = 32;

/// The length of a vehicle identification number (ISO 3779).
const VIN_LENGTH: usize = 17;

/// A registration number: Latin letters and digits (Convention on Road Traffic, Vienna 1968, annex 2).
pub(crate) fn registration(given: &str) -> Result<String, Rule> {
    let number = number(given)?;
    if number.contains('/') || !(2..=MAX_REGISTRATION).contains(&number.chars().count()) {
        return Err(Rule::Registration);
    }
    Ok(number)
}

/// The number of a vehicle's own license (vognlisens).
pub(crate) fn vehicle_license(given: &str) -> Result<String, Rule> {
    number(given)
}

/// A chassis number. One of 17 characters is a vehicle identification number, which has no I, O or Q, since they look
/// like 1 and 0 (ISO 3779). Older and home-built vehicles have other numbers.
pub(crate) fn chassis(given: &str) -> Result<String, Rule> {
    let number = number(given)?;
    if number.chars().count() == VIN_LENGTH && number.contains(['I', 'O', 'Q']) {
        return Err(Rule::Chassis);
    }
    Ok(number)
}

/// Upper case, without what is put in between for the eye: `ab-12 345` and `AB12345` are one vehicle.
fn number(given: &str) -> Result<String, Rule> {
    if given.len() > MAX_BYTES {
        return Err(Rule::VehicleNumber);
    }
    if has_identity_number(given) {
        return Err(Rule::NationalIdentityNumber);
    }
    let packed: String = text::fold(given)
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.'))
        .map(|c| {
            text::digit(c)
                .and_then(|digit| char::from_digit(digit, 10))
                .unwrap_or(c)
        })
        .collect();
    let number = text::normalize(&packed.to_uppercase());
    let is_latin = |c: char| is_letter(c) && script(c) == Script::Latin;
    let shaped = number
        .chars()
        .all(|c| c.is_ascii_digit() || is_latin(c) || c == '/');
    let means_something = number.chars().any(|c| c != '/');
    if shaped && means_something && number.chars().count() <= MAX_NUMBER {
        Ok(number)
    } else {
        Err(Rule::VehicleNumber)
    }
}
