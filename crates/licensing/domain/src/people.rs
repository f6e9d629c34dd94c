//! Holders, guardians and vehicles as a customer names them. What each field may hold is in [`crate::typed`].

use chrono::NaiveDate;
use envelope::Personal;
use events::{Guardian, Holder, Vehicle};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::day::age;
use crate::findings::Findings;
use crate::refusal::Rule;
use crate::typed;

/// Who a license is asked for. Has no `Debug`: it is personal data.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedHolder {
    /// Full name.
    #[schema(example = "Kari Nordmann")]
    pub name: String,
    /// Birth date.
    #[serde(deserialize_with = "crate::typed::date")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-", example = "1990-05-17")]
    pub birth_date: NaiveDate,
    /// Phone.
    #[schema(example = "+47 900 00 000")]
    pub phone: Option<String>,
    /// E-mail address.
    #[schema(example = "kari@example.no")]
    pub email: Option<String>,
    /// Guardian, for a holder under 18.
    pub guardian: Option<RequestedGuardian>,
}

/// The guardian of a minor.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedGuardian {
    /// Full name.
    pub name: String,
    /// Phone.
    pub phone: String,
    /// Whether they consent.
    pub consent: bool,
}

/// The vehicle of a driver.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedVehicle {
    /// Registration number.
    #[schema(example = "AB12345")]
    pub registration: Option<String>,
    /// Number of the vehicle's own license (vognlisens).
    pub vehicle_license: Option<String>,
    /// Chassis number.
    pub chassis: Option<String>,
}

/// The holder, if every rule holds on the activity's first day `day`; what is wrong goes to `findings`.
pub(crate) fn holder(
    asked: &RequestedHolder,
    day: NaiveDate,
    today: NaiveDate,
    at: &str,
    findings: &mut Findings,
) -> Option<Holder> {
    let before = findings.fields.len();
    let name = findings.keep(format!("{at}/name"), typed::person_name(&asked.name));
    if age(asked.birth_date, today).is_none_or(|years| years > 120) {
        findings.add(format!("{at}/birth_date"), Rule::BirthDate);
    }
    let phone = findings.keep_optional(format!("{at}/phone"), asked.phone.as_ref(), typed::phone);
    let email = findings.keep_optional(format!("{at}/email"), asked.email.as_ref(), typed::email);
    let absent = |given: &Option<String>| given.as_deref().is_none_or(is_blank);
    if absent(&asked.phone) && absent(&asked.email) {
        findings.add(at.to_owned(), Rule::Contact);
    }
    let guardian = asked.guardian.as_ref().and_then(|guardian| {
        let name = findings.keep(format!("{at}/guardian/name"), typed::person_name(&guardian.name));
        let phone = findings.keep(format!("{at}/guardian/phone"), typed::phone(&guardian.phone));
        Some(Guardian {
            name: Personal::new(name?),
            phone: Personal::new(phone?),
            consent: guardian.consent,
        })
    });
    let minor = age(asked.birth_date, day).is_none_or(|years| years < 18);
    if minor && !asked.guardian.as_ref().is_some_and(|guardian| guardian.consent) {
        findings.add(format!("{at}/guardian"), Rule::Guardian);
    }
    if findings.fields.len() > before {
        return None;
    }
    Some(Holder {
        name: Personal::new(name?),
        birth_date: Personal::new(asked.birth_date),
        phone,
        email,
        guardian,
    })
}

/// Finds an age on `day` that the license type does not allow, by its youngest and its oldest.
pub(crate) fn check_age(
    birth_date: NaiveDate,
    day: NaiveDate,
    (youngest, oldest): (Option<u8>, Option<u8>),
    at: &str,
    findings: &mut Findings,
) {
    let Some(years) = age(birth_date, day) else { return };
    if youngest.is_some_and(|min| years < u32::from(min)) {
        findings.add(format!("{at}/birth_date"), Rule::TooYoung);
    }
    if oldest.is_some_and(|max| years > u32::from(max)) {
        findings.add(format!("{at}/birth_date"), Rule::TooOld);
    }
}

/// The vehicle, if anything of it was given and is well-formed.
pub(crate) fn vehicle(
    asked: Option<&RequestedVehicle>,
    at: &str,
    findings: &mut Findings,
) -> Option<Vehicle> {
    let asked = asked?;
    let mut keep = |name, given: &Option<String>, check: fn(&str) -> Result<String, Rule>| {
        findings.keep_optional(format!("{at}/{name}"), given.as_ref(), check)
    };
    let registration = keep("registration", &asked.registration, typed::registration);
    let vehicle_license = keep("vehicle_license", &asked.vehicle_license, typed::vehicle_license);
    let chassis = keep("chassis", &asked.chassis, typed::chassis);
    let vehicle = Vehicle {
        registration,
        vehicle_license,
        chassis,
    };
    (vehicle != Vehicle::default()).then_some(vehicle)
}

/// Whether a field holds nothing but white space.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
