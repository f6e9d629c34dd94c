//! What makes a token good, apart from where its key comes from.

use axum::http::header;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use uuid::Uuid;

use super::{AuthOptions, Principal, Role};
use crate::metrics;
use crate::problem::Problem;

/// The longest token looked at. Ours are below 1 KiB; parsing more is a favor to an attacker.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the issuer's clock and ours may be apart.
const LEEWAY_S: u64 = 60;

/// Namespace of user ids. Fixed for ever: every stored id depends on it.
const USER_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3a52_8a0e_5c1f_9a54_0b7c_55a1_d2e3);

/// Why a token is not accepted. The client learns little more than that it isn't.
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
pub(crate) fn problems() -> [Problem; 3] {
    [
        TokenError::Malformed,
        TokenError::Expired,
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

/// The id of the key a token claims to be signed with. Checked first, so that a token which can't be good for another
/// reason never causes a fetch.
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

/// The rules of a good token, from the options.
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
    roles: Option<Vec<String>>,
    #[serde(default)]
    clubs: Option<Vec<String>>,
}

/// Checks signature and claims, and says who the token is about and from when on, in seconds since 1970, it will be
/// refused as expired.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<(Principal, u64), TokenError> {
    let claims = decode::<Claims>(token, key, validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => TokenError::Malformed,
        _ => TokenError::Claims,
    })?;
    // Rounded down, and a bad number to 0: such a token is verified each time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, see above"
    )]
    let ends = (claims.claims.exp as u64).saturating_add(LEEWAY_S);
    Ok((principal(&claims.claims)?, ends))
}

fn principal(claims: &Claims) -> Result<Principal, TokenError> {
    if claims.sub.is_empty() {
        return Err(TokenError::Claims);
    }
    let user = format!("{}\n{}", claims.iss, claims.sub);
    let mut principal = Principal {
        user_id: Uuid::new_v5(&USER_NAMESPACE, user.as_bytes()),
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
        // A club id that isn't one gives no access; the rest of the token is still good.
        principal.clubs = claims
            .clubs
            .iter()
            .flatten()
            .filter_map(|id| id.parse().ok())
            .collect();
    }
    Ok(principal)
}
