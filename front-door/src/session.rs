//! A session, as its cookie holds it.

use axum::http::{HeaderMap, HeaderValue};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use service::auth::Authenticator;
use service::problem::Problem;
use uuid::Uuid;

use crate::cookies::{self, Found, SESSION};
use crate::keys::Seal;
use crate::problems;
use crate::provider::Tokens;

/// How long a browser keeps the cookie, in seconds. The issuer ends a session long before: this only bounds what is left in
/// browsers.
const KEPT_S: u32 = 24 * 60 * 60;
/// The most characters of a name that are kept.
const MAX_NAME: usize = 80;

/// A person's tokens. Not `Debug`: nothing of it belongs in a log.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    /// Whose.
    pub(crate) user_id: Uuid,
    /// The name, if the issuer told it.
    pub(crate) name: Option<String>,
    /// What the APIs get.
    pub(crate) access_token: String,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_at: i64,
    /// Gets the next access token, once.
    pub(crate) refresh_token: Option<String>,
}

/// The session of a request.
pub(crate) enum Sent {
    /// None came along.
    None,
    /// One that cannot be opened: garbage, changed, or sealed with a key that is gone.
    Unusable,
    /// This one. Its access token may have ended.
    Opened(Box<Session>),
}

impl Sent {
    /// Looks for it.
    pub(crate) fn with(headers: &HeaderMap, seal: &Seal) -> Self {
        match cookies::find(headers, SESSION) {
            Found::None => Self::None,
            Found::Unusable => Self::Unusable,
            Found::One(sealed) => seal
                .open(SESSION, sealed)
                .map_or(Self::Unusable, |session| Self::Opened(Box::new(session))),
        }
    }
}

impl Session {
    /// Of what the issuer handed out, if the access token is one that the APIs accept.
    pub(crate) async fn of(tokens: Tokens, authenticator: &Authenticator) -> Result<Self, Problem> {
        let verified = authenticator.session_of(&tokens.access_token).await?;
        Ok(Self {
            user_id: verified.user_id(),
            name: None,
            access_token: tokens.access_token,
            expires_at: verified.expires_at(),
            refresh_token: tokens.refresh_token,
        })
    }

    /// Whether the access token has ended.
    pub(crate) fn has_expired(&self) -> bool {
        self.expires_at <= Utc::now().timestamp()
    }

    /// The cookie that holds it.
    pub(crate) fn cookie(&self, seal: &Seal) -> Result<HeaderValue, Problem> {
        let sealed = seal.seal(SESSION, self)?;
        cookies::set(SESSION, &sealed, KEPT_S).map_err(|_| {
            let bytes = sealed.len();
            tracing::error!(bytes, user_id = %self.user_id, "a session does not fit into a cookie");
            problems::session_too_large()
        })
    }

    /// A name as it is kept.
    pub(crate) fn short(name: String) -> String {
        if name.chars().nth(MAX_NAME).is_none() {
            return name;
        }
        name.chars().take(MAX_NAME).collect()
    }
}
