//! A login that is under way. What must be known when the person comes back travels in a sealed cookie, so another instance
//! may end what this one began.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use service::problem::Problem;

use crate::cookies::{self, Found, LOGIN};
use crate::keys::Seal;
use crate::problems;

/// How long a person may take to log in, in seconds.
const LASTS_S: u32 = 600;

/// The language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// Norwegian.
    Nb,
    /// English.
    En,
}

impl Language {
    /// The language of that name; Norwegian for any other.
    pub(crate) fn named(name: &str) -> Self {
        if name == "en" { Self::En } else { Self::Nb }
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nb => "nb",
            Self::En => "en",
        }
    }
}

/// What a login was begun with. Not `Debug`: it is secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Comes back in the address: only the browser that began the login has it.
    pub(crate) state: String,
    /// Comes back in the proof of the login.
    pub(crate) nonce: String,
    /// Shows the issuer that the code is ours (RFC 7636).
    pub(crate) verifier: String,
    /// Where the person goes after the login: a path of ours.
    pub(crate) return_to: String,
    /// The language of the pages that the person came from.
    pub(crate) language: Language,
    ends_at: DateTime<Utc>,
}

impl Attempt {
    /// With secrets of its own.
    pub(crate) fn new(return_to: &str, language: Language) -> Option<Self> {
        Some(Self {
            state: secret()?,
            nonce: secret()?,
            verifier: secret()?,
            return_to: return_to.to_owned(),
            language,
            ends_at: Utc::now() + TimeDelta::seconds(LASTS_S.into()),
        })
    }

    /// The cookie that holds it.
    pub(crate) fn cookie(&self, seal: &Seal) -> Result<HeaderValue, Problem> {
        let sealed = seal.seal(LOGIN, self)?;
        // Paths are short, so it always fits.
        cookies::set(LOGIN, &sealed, LASTS_S).map_err(|_| problems::session_too_large())
    }

    /// The attempt of a request, if it has one that has not ended.
    pub(crate) fn of(headers: &HeaderMap, seal: &Seal) -> Option<Self> {
        let Found::One(sealed) = cookies::find(headers, LOGIN) else {
            return None;
        };
        let attempt: Self = seal.open(LOGIN, sealed)?;
        (Utc::now() < attempt.ends_at).then_some(attempt)
    }

    /// Whether this is the state that it was begun with. The comparison takes the same time for every text.
    pub(crate) fn has_state(&self, state: &str) -> bool {
        verify_slices_are_equal(self.state.as_bytes(), state.as_bytes()).is_ok()
    }
}

/// 256 random bits, in base 64. `None`: the system has no random numbers.
fn secret() -> Option<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};
    use chrono::{TimeDelta, Utc};

    use super::{Attempt, Language};
    use crate::keys::{Ring, Seal};

    fn sent_back(attempt: &Attempt, seal: &Seal) -> Option<Attempt> {
        let cookie = attempt.cookie(seal).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie);
        Attempt::of(&headers, seal)
    }

    #[test]
    fn an_attempt_ends_after_ten_minutes_whatever_the_browser_does() {
        let seal = Seal::fixed(Ring::parse(&format!("a {}", "1".repeat(64))).unwrap());
        let mut attempt = Attempt::new("/mine", Language::En).unwrap();
        let opened = sent_back(&attempt, &seal).unwrap();
        assert!(opened.has_state(&attempt.state) && !opened.has_state(&attempt.nonce));
        assert_eq!(
            (opened.return_to.as_str(), opened.language),
            ("/mine", Language::En)
        );
        attempt.ends_at -= TimeDelta::seconds(590);
        assert!(sent_back(&attempt, &seal).is_some());
        attempt.ends_at = Utc::now();
        assert!(sent_back(&attempt, &seal).is_none());
    }

    #[test]
    fn every_attempt_has_secrets_of_its_own() {
        let [one, other] = [0, 1].map(|_| Attempt::new("/", Language::Nb).unwrap());
        for (mine, theirs) in [
            (&one.state, &other.state),
            (&one.nonce, &other.nonce),
            (&one.verifier, &other.verifier),
            (&one.state, &one.nonce),
        ] {
            assert_ne!(mine, theirs);
        }
        assert_eq!(one.verifier.len(), 43, "RFC 7636, 4.1");
    }
}
