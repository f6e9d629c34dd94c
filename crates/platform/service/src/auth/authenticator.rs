//! Joins the issuer's keys and the rules for tokens.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use jsonwebtoken::{DecodingKey, Validation};

use super::account::{Account, Accounts};
use super::jwks::{Jwks, Missing, Pace};
use super::token::{self, Proven, TokenError};
use super::verified::Verified;
use super::{AuthOptions, Principal};
use crate::health::Health;
use crate::problem::Problem;

/// Checks bearer tokens. Cheap to clone; belongs in the application state, for the [`Principal`] extractor to find.
#[derive(Clone, Debug)]
pub struct Authenticator {
    inner: Arc<Inner>,
    accounts: Option<Arc<dyn Accounts>>,
}

#[derive(Debug)]
struct Inner {
    jwks: Jwks,
    validation: Validation,
    options: AuthOptions,
    verified: Verified,
}

impl Authenticator {
    /// Starts fetching the issuer's keys in the background, inside the current runtime. An issuer that is down is no
    /// error: tokens get 503 until its keys have arrived.
    pub fn new(options: &AuthOptions) -> anyhow::Result<Self> {
        Self::with_pace(options, Pace::default())
    }

    /// As [`new`](Self::new), with another pace of fetches.
    pub fn with_pace(options: &AuthOptions, pace: Pace) -> anyhow::Result<Self> {
        let inner = Inner {
            jwks: Jwks::start(&options.jwks_url, options.jwt_algorithm, pace)?,
            validation: token::validation(options),
            options: options.clone(),
            verified: Verified::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            accounts: None,
        })
    }

    /// Lets what the shop says of a user go before what the user's token says. Without it tokens count until they expire.
    #[must_use]
    pub fn consulting(mut self, accounts: impl Accounts + 'static) -> Self {
        self.accounts = Some(Arc::new(accounts));
        self
    }

    /// Adds the health check "jwks", which fails until the issuer's keys have been fetched once.
    #[must_use]
    pub fn report_to(self, health: &Health) -> Self {
        self.inner.jwks.report_to(health.check("jwks"));
        self
    }

    /// Verifies the value of an `Authorization` header and returns its principal.
    pub async fn authenticate(&self, authorization: &[u8]) -> Result<Principal, Problem> {
        let proven = self.verify(authorization).await?;
        self.judged(proven).await
    }

    async fn judged(&self, proven: Proven) -> Result<Principal, Problem> {
        let account = match &self.accounts {
            Some(accounts) => accounts.of(proven.principal.user_id).await?,
            None => Account::default(),
        };
        Ok(account.applied_to(proven)?)
    }

    /// The principal of a request; nothing without an `Authorization` header. A token that is given must be valid.
    pub(super) async fn of_headers(&self, headers: &HeaderMap) -> Result<Option<Principal>, Problem> {
        match self.proven(headers).await? {
            Some(proven) => self.judged(proven).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the token of a request proves; nothing without an `Authorization` header.
    pub(super) async fn proven(&self, headers: &HeaderMap) -> Result<Option<Proven>, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => self.verify(value.as_bytes()).await.map(Some),
            (Some(_), Some(_)) => Err(TokenError::Malformed),
        }
    }

    /// What the value of an `Authorization` header proves.
    pub(super) async fn verify(&self, authorization: &[u8]) -> Result<Proven, TokenError> {
        let inner = &self.inner;
        let token = token::from_header(authorization)?;
        let key = self.key_of(token).await?;
        if let Some(proven) = inner.verified.get(token, &key) {
            return Ok(proven);
        }
        let proven = token::verify(token, &key, &inner.validation)?;
        inner.verified.keep(token, &key, proven.clone());
        Ok(proven)
    }

    /// The issuer's key that a token names.
    pub(super) async fn key_of(&self, token: &str) -> Result<Arc<DecodingKey>, TokenError> {
        let inner = &self.inner;
        let key_id = token::key_id(token, inner.options.jwt_algorithm)?;
        inner.jwks.key(&key_id).await.map_err(|missing| match missing {
            Missing::Unknown => TokenError::UnknownKey,
            Missing::Unavailable => TokenError::KeysUnavailable,
        })
    }

    /// Which tokens are accepted.
    pub(super) fn options(&self) -> &AuthOptions {
        &self.inner.options
    }
}
