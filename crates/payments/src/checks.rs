//! What the providers would refuse is refused here, with the status they would have answered.

use reqwest::Url;

use crate::port::Error;

/// The longest idempotency key that every provider takes.
pub const MAX_IDEMPOTENCY_KEY: usize = 50;

/// Whether `reference` is one that every provider takes: `^[a-zA-Z0-9-]{8,50}$`. Such a text is safe in a URL path.
pub fn is_reference(reference: &str) -> bool {
    (8..=50).contains(&reference.len()) && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether `key` can be sent as an `Idempotency-Key`: 1 to 50 visible ASCII characters.
pub fn is_idempotency_key(key: &str) -> bool {
    (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

pub(crate) fn check_reference(reference: &str) -> Result<(), Error> {
    if is_reference(reference) {
        Ok(())
    } else {
        Err(refused(400, "the reference is not 8 to 50 of a-z, A-Z, 0-9, -"))
    }
}

/// Checks an id that a provider gave. Such a text is safe in a URL path.
pub(crate) fn check_payment_id(id: &str) -> Result<(), Error> {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(is_safe) {
        Ok(())
    } else {
        Err(refused(400, "the payment id is not 1 to 64 of a-z, A-Z, 0-9, -"))
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if is_idempotency_key(key) {
        Ok(())
    } else {
        Err(refused(
            400,
            "the idempotency key is not 1 to 50 visible characters",
        ))
    }
}

pub(crate) fn check_amount(amount_ore: i64) -> Result<i64, Error> {
    if amount_ore > 0 {
        Ok(amount_ore)
    } else {
        Err(refused(400, "the amount is not above zero"))
    }
}

pub(crate) fn check_url(what: &str, url: &str) -> Result<(), Error> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(refused(
            400,
            &format!("the {what} is not an absolute http or https URL"),
        )),
    }
}

/// The customer's browser is sent there, so it must at least be a web address.
pub(crate) fn check_redirect(redirect_url: &str) -> Result<(), Error> {
    match Url::parse(redirect_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(Error::Protocol(
            "the redirect URL is not a web address".to_owned(),
        )),
    }
}

pub(crate) fn refused(status: u16, detail: &str) -> Error {
    Error::Refused {
        status,
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_follow_the_protocol() {
        for good in ["12345678", "order-0198c0ffee", &"a".repeat(50)] {
            assert!(is_reference(good), "{good}");
        }
        for bad in [
            "1234567",
            "",
            "with space",
            "sl/ash-12",
            "dot.dot.dot",
            "blåbær-123",
            &"a".repeat(51),
        ] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    #[test]
    fn a_redirect_must_be_a_web_address() {
        for bad in ["javascript:alert(1)", "/pay/1", "", "data:text/html,x"] {
            assert!(check_redirect(bad).is_err(), "{bad}");
        }
        assert!(check_redirect("https://landing.vipps.no/?token=abc123").is_ok());
    }
}
