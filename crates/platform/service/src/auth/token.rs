//! The rules of a valid token. Its key comes from [`super::jwks`].

use axum::http::header;
use chrono::Utc;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use uuid::Uuid;

use super::{AuthOptions, Principal, Role};
use crate::metrics;
use crate::problem::Problem;

/// The longest token that is parsed. Ours are below 1 KiB; a longer one only costs processor time.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the issuer's clock and ours may be apart.
pub(super) const LEEWAY_S: u64 = 60;

/// Namespace of user ids. Fixed for ever: every stored id depends on it.
const USER_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3a52_8a0e_5c1f_9a54_0b7c_55a1_d2e3);

/// Why a token is refused. The client gets little more than the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("malformed")]
    Malformed,
    #[error("too_long")]
    TooLong,
    #[error("algorithm")]
    Algorithm,
    #[error("unknown_key")]
    UnknownKey,
    #[error("signature")]
    Signature,
    #[error("expired")]
    Expired,
    #[error("not_yet_valid")]
    NotYetValid,
    #[error("claims")]
    Claims,
    #[error("revoked")]
    Revoked,
    #[error("keys_unavailable")]
    KeysUnavailable,
}

impl From<TokenError> for Problem {
    fn from(refusal: TokenError) -> Self {
        let reason = refusal.to_string();
        tracing::debug!(reason, "token refused");
        ::metrics::counter!(metrics::AUTH_REFUSALS, "reason" => reason).increment(1);
        refusal.problem()
    }
}

impl TokenError {
    fn problem(self) -> Problem {
        let unauthorized = Problem::unauthorized().status();
        let problem = match self {
            Self::KeysUnavailable => {
                return Problem::unavailable(
                    "login_unavailable",
                    "Innlogging er ikke tilgjengelig akkurat nå. Prøv igjen om litt.",
                    "Login is not available right now. Try again in a moment.",
                );
            }
            Self::Expired => Problem::new(
                unauthorized,
                "token_expired",
                "Innloggingen har utløpt. Logg inn på nytt.",
                "Your login has expired. Log in again.",
            ),
            Self::Revoked => Problem::new(
                unauthorized,
                "token_revoked",
                "Du er logget ut. Logg inn på nytt.",
                "You are logged out. Log in again.",
            ),
            _ => Problem::new(
                unauthorized,
                "token_invalid",
                "Innloggingen er ikke gyldig. Logg inn på nytt.",
                "Your login is not valid. Log in again.",
            ),
        };
        problem.header(header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)
    }
}

/// Every problem that a token can be refused with.
pub(crate) fn problems() -> [Problem; 4] {
    [
        TokenError::Malformed,
        TokenError::Expired,
        TokenError::Revoked,
        TokenError::KeysUnavailable,
    ]
    .map(TokenError::problem)
}

/// The token in an `Authorization` header.
pub(super) fn from_header(value: &[u8]) -> Result<&str, TokenError> {
    let text = std::str::from_utf8(value).map_err(|_| TokenError::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(TokenError::Malformed)?;
    let token = token.trim_matches(' ');
    if token.len() > MAX_TOKEN_BYTES {
        Err(TokenError::TooLong)
    } else if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        Err(TokenError::Malformed)
    } else {
        Ok(token)
    }
}

/// The id of the key that a token names. Checks the rest of the header first, so that a token which is invalid for
/// another reason never causes a fetch.
pub(super) fn key_id(token: &str, algorithm: Algorithm) -> Result<String, TokenError> {
    // An `alg` the library does not know, `none` among them, fails to parse.
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    if header.alg != algorithm {
        return Err(TokenError::Algorithm);
    }
    // RFC 7515 4.1.11: extensions named critical must be understood, and we understand none.
    if header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    header.kid.ok_or(TokenError::UnknownKey)
}

/// The rules of a valid token, from the options.
pub(super) fn validation(options: &AuthOptions) -> Validation {
    let mut validation = Validation::new(options.jwt_algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.set_issuer(&[&options.jwt_issuer]);
    validation.set_audience(&[&options.jwt_audience]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation
}

/// `iss` as a string also refuses an array of issuers, which the library would take.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    clubs: Option<Vec<String>>,
}

/// What a token proves.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    pub(super) principal: Principal,
    /// When it was issued, in seconds since 1970, if it says so.
    pub(super) issued_at: Option<i64>,
    /// When it expires, in seconds since 1970, leeway included.
    pub(super) ends: u64,
}

/// Verifies signature and claims.
pub(super) fn verify(token: &str, key: &DecodingKey, validation: &Validation) -> Result<Proven, TokenError> {
    let claims = decode::<Claims>(token, key, validation).map_err(|error| refused(&error))?;
    // Rounded down, and a bad number to 0: such a token is verified each time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, see above"
    )]
    let ends = (claims.claims.exp as u64).saturating_add(LEEWAY_S);
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    let issued_at = claims.claims.iat.map(|iat| iat as i64);
    // One from the future would outlive the end of its user's sessions.
    let latest = Utc::now().timestamp().saturating_add_unsigned(LEEWAY_S);
    if issued_at.is_some_and(|issued_at| issued_at > latest) {
        return Err(TokenError::NotYetValid);
    }
    Ok(Proven {
        principal: principal(&claims.claims)?,
        issued_at,
        ends,
    })
}

/// Why the library refuses a token.
pub(super) fn refused(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => TokenError::Malformed,
        _ => TokenError::Claims,
    }
}

/// The id of a user, from issuer and subject.
pub(super) fn user_id(issuer: &str, subject: &str) -> Uuid {
    Uuid::new_v5(&USER_NAMESPACE, format!("{issuer}\n{subject}").as_bytes())
}

fn principal(claims: &Claims) -> Result<Principal, TokenError> {
    if claims.sub.is_empty() {
        return Err(TokenError::Claims);
    }
    let mut principal = Principal {
        user_id: user_id(&claims.iss, &claims.sub),
        roles: claims
            .roles
            .iter()
            .flatten()
            .filter_map(|name| Role::parse(name))
            .collect(),
        clubs: Vec::new(),
    };
    if principal.roles.is_empty() {
        principal.roles.insert(Role::Customer);
    }
    if principal.has(Role::Organizer) {
        // A malformed club id gives no access; the rest of the token stays valid.
        principal.clubs = claims
            .clubs
            .iter()
            .flatten()
            .filter_map(|id| id.parse().ok())
            .collect();
    }
    Ok(principal)
}
