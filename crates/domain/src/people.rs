//! Holders, guardians and vehicles as a customer names them, and the rules that make them ours.

use chrono::NaiveDate;
use envelope::Personal;
use events::{Guardian, Holder, Vehicle};
use serde::Deserialize;

use crate::day::age;
use crate::{Field, Rule};

/// Who a license is asked for. Has no `Debug`: it is personal data.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedHolder {
    /// Full name.
    pub name: String,
    /// Birth date.
    pub birth_date: NaiveDate,
    /// Phone.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Guardian, for a holder under 18.
    pub guardian: Option<RequestedGuardian>,
}

/// The guardian of a minor.
#[derive(Clone, Deserialize)]
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
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedVehicle {
    /// Registration number.
    pub registration: Option<String>,
    /// Number of the vehicle's own license (vognlisens).
    pub vehicle_license: Option<String>,
    /// Chassis number.
    pub chassis: Option<String>,
}

/// Collects the fields of one command that break a rule.
pub(crate) struct Findings {
    pub(crate) fields: Vec<Field>,
}

impl Findings {
    pub(crate) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    pub(crate) fn add(&mut self, pointer: String, rule: Rule) {
        self.fields.push(Field { pointer, rule });
    }

    /// The value, or a finding at `pointer`.
    pub(crate) fn keep<T>(&mut self, pointer: String, checked: Result<T, Rule>) -> Option<T> {
        checked.map_err(|rule| self.add(pointer, rule)).ok()
    }

    fn keep_optional(
        &mut self,
        pointer: String,
        given: Option<&String>,
        check: impl Fn(&str) -> Result<String, Rule>,
    ) -> Option<Personal<String>> {
        let given = given.filter(|text| !text.trim().is_empty())?;
        self.keep(pointer, check(given)).map(Personal::new)
    }
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
    let name = findings.keep(format!("{at}/name"), person_name(&asked.name));
    if age(asked.birth_date, today).is_none_or(|years| years > 120) {
        findings.add(format!("{at}/birth_date"), Rule::BirthDate);
    }
    let phone = findings.keep_optional(format!("{at}/phone"), asked.phone.as_ref(), phone);
    let email = findings.keep_optional(format!("{at}/email"), asked.email.as_ref(), email);
    let blank = |given: &Option<String>| given.as_ref().is_none_or(|text| text.trim().is_empty());
    if blank(&asked.phone) && blank(&asked.email) {
        findings.add(at.to_owned(), Rule::Contact);
    }
    let guardian = asked.guardian.as_ref().and_then(|guardian| {
        let name = findings.keep(format!("{at}/guardian/name"), person_name(&guardian.name));
        let phone = findings.keep(format!("{at}/guardian/phone"), phone_required(&guardian.phone));
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

/// The vehicle, if anything of it was given and is well-formed.
pub(crate) fn vehicle(
    asked: Option<&RequestedVehicle>,
    at: &str,
    findings: &mut Findings,
) -> Option<Vehicle> {
    let asked = asked?;
    let registration = findings.keep_optional(
        format!("{at}/registration"),
        asked.registration.as_ref(),
        vehicle_number,
    );
    let vehicle_license = findings.keep_optional(
        format!("{at}/vehicle_license"),
        asked.vehicle_license.as_ref(),
        vehicle_number,
    );
    let chassis = findings.keep_optional(format!("{at}/chassis"), asked.chassis.as_ref(), vehicle_number);
    let vehicle = Vehicle {
        registration,
        vehicle_license,
        chassis,
    };
    (vehicle != Vehicle::default()).then_some(vehicle)
}

/// Text of 1 to `most` characters, trimmed, without control characters.
pub(crate) fn text(given: &str, most: usize) -> Result<String, Rule> {
    let trimmed = given.trim();
    if trimmed.is_empty() {
        return Err(Rule::Required);
    }
    if trimmed.chars().count() > most || trimmed.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(Rule::Text);
    }
    Ok(trimmed.to_owned())
}

/// Characters that show nothing or turn the text around them: zero-width ones, direction marks, the byte order mark.
/// At the gate a name must be what it looks like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn person_name(given: &str) -> Result<String, Rule> {
    let name = text(given, 120)?;
    if has_national_identity_number(&name) {
        return Err(Rule::NationalIdentityNumber);
    }
    if name.chars().filter(|c| c.is_alphabetic()).count() < 2 {
        return Err(Rule::Text);
    }
    Ok(name)
}

fn phone_required(given: &str) -> Result<String, Rule> {
    if given.trim().is_empty() {
        Err(Rule::Required)
    } else {
        phone(given)
    }
}

/// A phone number: `+` and 7 to 15 digits (E.164), or eight digits as within Norway; spaces and hyphens are for people.
fn phone(given: &str) -> Result<String, Rule> {
    let number = text(given, 32).map_err(|_| Rule::Phone)?;
    if !number.starts_with('+') && has_national_identity_number(&number) {
        return Err(Rule::NationalIdentityNumber);
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let shaped = number
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_digit() || c == ' ' || c == '-' || (c == '+' && at == 0));
    let counted = if number.starts_with('+') {
        (7..=15).contains(&digits.len())
    } else {
        digits.len() == 8
    };
    if shaped && counted {
        Ok(number)
    } else {
        Err(Rule::Phone)
    }
}

/// An address that mail could reach: one `@`, something before it, a dotted name after it, no spaces.
fn email(given: &str) -> Result<String, Rule> {
    let address = text(given, 254).map_err(|_| Rule::Email)?;
    let Some((local, domain)) = address.split_once('@') else {
        return Err(Rule::Email);
    };
    let dotted = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
    let plain = !address.chars().any(char::is_whitespace) && !domain.contains('@');
    if !local.is_empty() && dotted && plain {
        Ok(address)
    } else {
        Err(Rule::Email)
    }
}

fn vehicle_number(given: &str) -> Result<String, Rule> {
    let number = text(given, 32)?;
    if has_national_identity_number(&number) {
        return Err(Rule::NationalIdentityNumber);
    }
    let shaped = number
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '/' | '.'));
    if shaped {
        Ok(number.to_uppercase())
    } else {
        Err(Rule::Text)
    }
}

/// Whether eleven digits in a row (spaces aside) carry the two check digits of a fødselsnummer or D-number
/// (Skatteetaten: weights 3 7 6 1 8 9 4 5 2 and 5 4 3 2 7 6 5 4 3 2, modulo 11).
fn has_national_identity_number(text: &str) -> bool {
    let packed: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    packed
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .any(|run| {
            let digits: Vec<u32> = run.iter().filter_map(|c| c.to_digit(10)).collect();
            let sum = |weights: &[u32]| {
                weights
                    .iter()
                    .zip(&digits)
                    .map(|(weight, digit)| weight * digit)
                    .sum::<u32>()
            };
            digits.len() == 11
                && sum(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 == 0
                && sum(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
        })
}

#[cfg(test)]
mod tests {
    use super::{email, has_national_identity_number, person_name, phone, text, vehicle_number};
    use crate::Rule;

    #[test]
    fn names_keep_their_letters() {
        assert_eq!(person_name(" Åse Bjørnstad-Øen ").unwrap(), "Åse Bjørnstad-Øen");
        for (name, rule) in [
            ("", Rule::Required),
            ("A", Rule::Text),
            ("Kari\u{0}", Rule::Text),
            ("42", Rule::Text),
        ] {
            assert_eq!(person_name(name), Err(rule), "{name:?}");
        }
    }

    #[test]
    fn phones_are_norwegian_or_international() {
        for good in ["22 22 22 22", "90000000", "+47 900 00 000", "+46-70-123 45 67"] {
            assert_eq!(phone(good).as_deref(), Ok(good));
        }
        for bad in [
            "1234567",
            "call me",
            "+1",
            "+1234567890123456",
            "22+22222222",
            "900 00 000 0",
        ] {
            assert_eq!(phone(bad), Err(Rule::Phone), "{bad}");
        }
    }

    #[test]
    fn e_mail_addresses_have_one_at_and_a_dotted_name() {
        assert!(email("kari@example.no").is_ok());
        for bad in [
            "kari",
            "@example.no",
            "kari@",
            "kari@no",
            "kari@example..no",
            "ka ri@example.no",
            "a@b@c.no",
        ] {
            assert_eq!(email(bad), Err(Rule::Email), "{bad}");
        }
    }

    #[test]
    fn national_identity_numbers_are_found_and_other_digits_left_alone() {
        // Made up, with valid check digits.
        for number in ["01010750160", "010107 50160", "Kari 01010750160"] {
            assert!(has_national_identity_number(number), "{number}");
            assert!(person_name(number).is_err());
            assert_eq!(vehicle_number(number), Err(Rule::NationalIdentityNumber));
        }
        for number in ["01010750161", "12345678901", "4790000000", "010107501600"] {
            assert!(!has_national_identity_number(number), "{number}");
        }
    }

    #[test]
    fn text_is_trimmed_and_bounded_in_characters() {
        assert_eq!(text(" æøå ", 3).as_deref(), Ok("æøå"));
        assert_eq!(text("æøåæ", 3), Err(Rule::Text));
        assert_eq!(text("a\nb", 9), Err(Rule::Text));
        for hidden in ["Kari\u{202e}", "\u{200b}", "a\u{feff}b"] {
            assert_eq!(text(hidden, 9), Err(Rule::Text), "{hidden:?}");
        }
    }
}
