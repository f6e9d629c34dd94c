//! Free text that is no person's name: of clubs, license types, terms.

use super::characters::visible;
use super::identity_numbers::has_identity_number;
use crate::refusal::{Refusal, Rule};

/// The longest reason of a person, in characters.
const MAX_REASON: usize = 500;

/// The member `reason` of a request: why a person decided so.
pub(crate) fn reason(given: &str) -> Result<String, Refusal> {
    label(given, MAX_REASON).map_err(|rule| Refusal::field("/reason", rule))
}

/// Text of 1 to `most` characters that shows what it is and holds a letter or a digit.
pub(crate) fn label(given: &str, most: usize) -> Result<String, Rule> {
    let stored = visible(given, most)?;
    if has_identity_number(&stored) {
        return Err(Rule::NationalIdentityNumber);
    }
    if !stored.chars().any(char::is_alphanumeric) {
        return Err(Rule::TextEmpty);
    }
    Ok(stored)
}

/// Text of several lines, together 1 to `most` characters. Empty lines stay, as the space between paragraphs.
pub(crate) fn paragraphs(given: &str, most: usize) -> Result<String, Rule> {
    if given.len() > 8 * most {
        return Err(Rule::TextTooLong);
    }
    let line = |line: &str| match visible(line, most) {
        Err(Rule::Required) => Ok(String::new()),
        checked => checked,
    };
    let lines = given.lines().map(line).collect::<Result<Vec<_>, _>>()?;
    let stored = lines.join("\n").trim().to_owned();
    if stored.is_empty() {
        return Err(Rule::Required);
    }
    if stored.chars().count() > most {
        return Err(Rule::TextTooLong);
    }
    if !stored.chars().any(char::is_alphanumeric) {
        return Err(Rule::TextEmpty);
    }
    Ok(stored)
}
