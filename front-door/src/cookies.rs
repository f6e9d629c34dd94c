//! Cookies: found in a request, set and cleared in an answer.
//!
//! The prefix `__Host-` makes browsers refuse one without `Secure`, with a domain or with another path, so that no other host
//! of the domain can set ours.

use axum::http::{HeaderMap, HeaderValue, header};

/// Holds a session.
pub(crate) const SESSION: &str = "__Host-session";
/// Holds a login that is under way.
pub(crate) const LOGIN: &str = "__Host-login";

/// The most bytes of a cookie with its name and attributes: all that browsers promise to keep.
const MAX_BYTES: usize = 4096;

/// A cookie of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// There is none of that name.
    None,
    /// Its value.
    One(&'a str),
    /// More than one, or one that is no text. No browser sends that.
    Unusable,
}

/// The cookie would be larger than browsers keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

/// The cookie of that name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Found<'a> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    });
    match (values.next(), values.next()) {
        (None, _) => Found::None,
        (Some(value), None) => std::str::from_utf8(value).map_or(Found::Unusable, Found::One),
        (Some(_), Some(_)) => Found::Unusable,
    }
}

/// Sets a cookie for a time in seconds.
pub(crate) fn set(name: &str, value: &str, max_age_s: u32) -> Result<HeaderValue, TooLarge> {
    let cookie = written(name, value, max_age_s);
    if cookie.len() > MAX_BYTES {
        return Err(TooLarge);
    }
    // What is sealed is base 64, so only its length can be wrong.
    HeaderValue::from_str(&cookie).map_err(|_| TooLarge)
}

/// Takes a cookie away.
pub(crate) fn cleared(name: &'static str) -> String {
    written(name, "", 0)
}

fn written(name: &str, value: &str, max_age_s: u32) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; Secure; SameSite=Lax")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Found, MAX_BYTES, find, set, written};

    fn headers(cookies: &[&'static [u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_among_others() {
        for (cookies, expected) in [
            (&[] as &[&'static [u8]], Found::None),
            (&[b"a=1; b=2"], Found::None),
            (&[b"n=1"], Found::One("1")),
            (&[b"a=\xff\xfe; n=1;b"], Found::One("1")),
            (&[b"a=1", b"n=2"], Found::One("2")),
            (&[b"n"], Found::None),
            (&[b"n="], Found::One("")),
            (&[b"nn=1; N=2; n2=3; n =4"], Found::None),
            (&[b"n=1; n=1"], Found::Unusable),
            (&[b"n=1", b"n=2"], Found::Unusable),
            (&[b"n=\xff"], Found::Unusable),
            (&[b";;;=;= ;n=a=b;"], Found::One("a=b")),
        ] {
            assert_eq!(find(&headers(cookies), "n"), expected, "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_that_browsers_would_drop_is_not_set() {
        let most = MAX_BYTES - written("n", "", 600).len();
        assert!(set("n", &"v".repeat(most), 600).is_ok());
        assert!(set("n", &"v".repeat(most + 1), 600).is_err());
    }
}
