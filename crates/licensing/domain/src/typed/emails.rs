//! E-mail addresses.

use super::characters::{is_letter, is_mark, visible};
use super::identity_numbers::has_identity_number;
use crate::refusal::Rule;

/// RFC 5321, 4.5.3.1: 64 octets before the `@`, and a path of 256 with its angle brackets.
const MAX_LOCAL_BYTES: usize = 64;
const MAX_BYTES: usize = 254;

/// An address that mail could reach: a local part as a dot-atom (RFC 5322, with letters of all scripts as in RFC 6531),
/// a domain of two labels or more that exist in ASCII (IDNA). The domain is kept in lower case, as Unicode.
pub(crate) fn email(given: &str) -> Result<String, Rule> {
    if given.contains(['<', '>']) {
        return Err(Rule::EmailBrackets);
    }
    if given.contains([',', ';']) {
        return Err(Rule::EmailSeparator);
    }
    let address = visible(given, MAX_BYTES).map_err(|rule| match rule {
        Rule::Required | Rule::TextInvisible => rule,
        Rule::TextTooLong => Rule::EmailTooLong,
        _ => Rule::Email,
    })?;
    if has_identity_number(&address) {
        return Err(Rule::NationalIdentityNumber);
    }
    let (local, domain) = address.split_once('@').ok_or(Rule::Email)?;
    if local.len() > MAX_LOCAL_BYTES {
        return Err(Rule::EmailTooLong);
    }
    if !local.split('.').all(is_atom) {
        return Err(Rule::Email);
    }
    let (domain, ascii) = internet_domain(domain).ok_or(Rule::Email)?;
    let stored = format!("{local}@{domain}");
    if stored.len() > MAX_BYTES || local.len() + 1 + ascii.len() > MAX_BYTES {
        return Err(Rule::EmailTooLong);
    }
    Ok(stored)
}

fn is_atom(text: &str) -> bool {
    let special = |c: char| "!#$%&'*+-/=?^_`{|}~".contains(c);
    !text.is_empty()
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || special(c) || (!c.is_ascii() && (is_letter(c) || is_mark(c)))
        })
}

/// The domain for people and for mail servers.
fn internet_domain(typed: &str) -> Option<(String, String)> {
    let ascii = idna::domain_to_ascii_strict(typed).ok()?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let top = labels.last()?;
    let is_label = |label: &&str| !label.is_empty() && label.len() <= 63;
    if labels.len() < 2
        || !labels.iter().all(is_label)
        || top.len() < 2
        || top.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let (unicode, valid) = idna::domain_to_unicode(&ascii);
    valid.is_ok().then_some((unicode, ascii))
}
