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
