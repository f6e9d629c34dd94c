//! Phone numbers as people paste them, kept as E.164.

use phonenumber::{Mode, country};

use super::identity_numbers::has_identity_number;
use crate::refusal::Rule;

/// The longest text that is looked at: a number with much white space around.
const MAX_BYTES: usize = 256;

/// E.164 has 15 digits; `00` before them, and a trunk prefix that should not be there.
const MAX_DIGITS: usize = 18;

/// A phone number in E.164. Without a country code it is Norwegian. libphonenumber's metadata say which exist.
pub(crate) fn phone(given: &str) -> Result<String, Rule> {
    if text::normalize(given).is_empty() {
        return Err(Rule::Required);
    }
    if given.len() > MAX_BYTES {
        return Err(Rule::Phone);
    }
    let Some(dialled) = dialled(given) else {
        let number = has_identity_number(given);
        return Err(if number {
            Rule::NationalIdentityNumber
        } else {
            Rule::Phone
        });
    };
    if !dialled.starts_with('+') && has_identity_number(&dialled) {
        return Err(Rule::NationalIdentityNumber);
    }
    let number = phonenumber::parse(Some(country::NO), &dialled).map_err(|_| Rule::Phone)?;
    if !number.is_valid() || number.extension().is_some() {
        return Err(Rule::Phone);
    }
    Ok(number.format().mode(Mode::E164).to_string())
}

/// Only what is dialled, `+` and digits: the parser sees nothing else. `None` if there is anything but a number and
/// what people put between its digits.
fn dialled(given: &str) -> Option<String> {
    let folded = text::fold(given);
    let typed = folded.strip_prefix("tel:").unwrap_or(&folded);
    // The trunk prefix that is dialled within most countries only; in Italy it belongs to the number.
    let italian = ["+39", "0039"].iter().any(|country| typed.starts_with(country));
    let plain = if italian {
        typed.to_owned()
    } else {
        typed.replace("(0)", "")
    };
    let mut dialled = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            ' ' | '-' | '.' | '/' | '(' | ')' | '\u{b7}' => {}
            '+' if dialled.is_empty() => dialled.push('+'),
            c => dialled.push(char::from_digit(text::digit(c)?, 10)?),
        }
    }
    if let Some(rest) = dialled.strip_prefix("00") {
        dialled = format!("+{rest}");
    }
    (1..=MAX_DIGITS).contains(&dialled.len()).then_some(dialled)
}
