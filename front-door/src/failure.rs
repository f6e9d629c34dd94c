//! Logins that fail: the person gets to a page that says so.

use crate::attempt::Language;
use crate::origin::Origin;

/// Why a login failed. The page knows the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The person stopped it.
    Cancelled,
    /// It took too long, or was begun in another browser, or has ended already.
    Expired,
    /// What came back is not what the login was begun with.
    Refused,
    /// The issuer does not answer.
    Unavailable,
    /// The tokens do not fit into a cookie.
    TooLarge,
}

impl Failure {
    /// Its code, which is stable.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "login_cancelled",
            Self::Expired => "login_expired",
            Self::Refused => "login_refused",
            Self::Unavailable => "login_unavailable",
            Self::TooLarge => "session_too_large",
        }
    }

    /// The page that tells it. From there the person can try again, and gets to where the first login would have led.
    pub(crate) fn page(self, origin: &Origin, language: Language, return_to: &str) -> String {
        let path = match language {
            Language::Nb => "/innlogging",
            Language::En => "/en/innlogging",
        };
        let told = [("feil", self.code()), ("return_to", return_to)];
        let told = if return_to == "/" { &told[..1] } else { &told[..] };
        origin.with_parameters(path, told)
    }
}
