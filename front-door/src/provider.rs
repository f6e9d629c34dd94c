//! The issuer as this program's partner: where people log in, and where codes and refresh tokens become tokens
//! (OpenID Connect Core 3.1, RFC 6749, RFC 7636, RFC 7009).
//!
//! Nothing here logs a token, a code, a body or an address with parameters.

mod described;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use service::health::Check;
use service::secret::Secret;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::described::{Endpoints, Source, read};
use crate::attempt::Attempt;
use crate::config::ProviderOptions;
use crate::origin::Origin;

/// Where the issuer sends people back to.
pub(crate) const CALLBACK: &str = "/session/callback";
/// For one request to the issuer, from its first byte to the last one of the answer. A person waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// For a farewell, which is only a courtesy.
const FAREWELL: Duration = Duration::from_secs(2);

/// The issuer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    scope: String,
    redirect_uri: String,
    endpoints: watch::Receiver<Option<Arc<Endpoints>>>,
}

/// What the issuer hands out. Not `Debug`.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    token_type: String,
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
    #[serde(default)]
    pub(crate) id_token: Option<String>,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The code or the refresh token is not good, or not any more.
    Refused,
    /// The issuer does not answer, or not as it should. Later it may.
    Unavailable,
}

/// An error of the token endpoint (RFC 6749, 5.2).
#[derive(Deserialize)]
struct TokenError {
    error: String,
}

impl Provider {
    /// Begins to read the issuer's description in the background. An issuer that is down is no error: `check` is degraded
    /// until it answers, and logins fail with a page that says so.
    pub fn follow(
        options: &ProviderOptions,
        issuer: &str,
        origin: &Origin,
        check: Check,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Codes and tokens go to the described addresses and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            // A connection that the issuer is just closing would lose a refresh token, which cannot be sent twice.
            .pool_max_idle_per_host(0)
            .build()?;
        let source = Source::new(http.clone(), &options.oidc_discovery_url, issuer)?;
        Ok(Self(Arc::new(Inner {
            http,
            issuer: issuer.to_owned(),
            client_id: options.oidc_client_id.clone(),
            client_secret: options.client_secret()?,
            scope: options.oidc_scope.clone(),
            redirect_uri: format!("{}{CALLBACK}", origin.as_str()),
            endpoints: source.follow(check, shutdown),
        })))
    }

    /// The issuer's `iss`.
    pub(crate) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The name that the issuer knows this program by.
    pub(crate) fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// Where the person logs in; nothing while the issuer's addresses are not known.
    pub(crate) fn authorize_url(&self, attempt: &Attempt) -> Option<String> {
        let inner = &*self.0;
        let mut url = self.endpoints()?.authorization.clone();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, attempt.verifier.as_bytes()));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &inner.client_id),
            ("redirect_uri", &inner.redirect_uri),
            ("scope", &inner.scope),
            ("state", &attempt.state),
            ("nonce", &attempt.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("ui_locales", attempt.language.name()),
        ]);
        Some(url.into())
    }

    /// The tokens that a code stands for.
    pub(crate) async fn exchange(&self, attempt: &Attempt, code: &str) -> Result<Tokens, Refusal> {
        self.tokens(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.0.redirect_uri),
            ("code_verifier", &attempt.verifier),
        ])
        .await
    }

    /// The next tokens of a session.
    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Refusal> {
        self.tokens(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
            .await
    }

    /// Tells the issuer that a session is over, and waits for its answer a little.
    pub(crate) async fn end(&self, refresh_token: &str) {
        let Some(endpoints) = self.endpoints() else { return };
        // Keycloak takes a refresh token at its end_session_endpoint.
        let (url, form) = match (&endpoints.revocation, &endpoints.end_session) {
            (Some(url), _) => (
                url,
                [("token", refresh_token), ("token_type_hint", "refresh_token")],
            ),
            (None, Some(url)) => (url, [("refresh_token", refresh_token), ("reason", "logout")]),
            (None, None) => return,
        };
        let told = self.request(url, &form).timeout(FAREWELL).send().await;
        match told.map(|response| response.status()) {
            Ok(status) if status.is_success() => {}
            Ok(status) => tracing::warn!(status = status.as_u16(), "the issuer does not end a session"),
            Err(error) => tracing::warn!(error = %error.without_url(), "cannot tell the issuer of a logout"),
        }
    }

    fn endpoints(&self) -> Option<Arc<Endpoints>> {
        self.0.endpoints.borrow().clone()
    }

    /// A form, with this program's name and password.
    fn request(&self, url: &Url, form: &[(&str, &str)]) -> RequestBuilder {
        let inner = &*self.0;
        let request = inner.http.post(url.clone());
        match &inner.client_secret {
            None => request.form(&[form, &[("client_id", inner.client_id.as_str())][..]].concat()),
            Some(secret) => request
                .basic_auth(encoded(&inner.client_id), Some(encoded(secret.expose())))
                .form(form),
        }
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Refusal> {
        let endpoints = self.endpoints().ok_or(Refusal::Unavailable)?;
        let unusable = |error: anyhow::Error| {
            tracing::error!(error = %format!("{error:#}"), "the issuer gives no tokens");
            Refusal::Unavailable
        };
        let response = self.request(&endpoints.token, form).send().await;
        let response = response.map_err(|error| unusable(error.without_url().into()))?;
        let status = response.status();
        let body = read(response).await.map_err(unusable)?;
        if status == StatusCode::OK {
            let tokens: Tokens = serde_json::from_slice(&body)
                .map_err(|_| unusable(anyhow::anyhow!("its answer is of another form")))?;
            if !tokens.token_type.eq_ignore_ascii_case("bearer") {
                return Err(unusable(anyhow::anyhow!("its tokens are of another type")));
            }
            return Ok(tokens);
        }
        // Everything else is a fault of the issuer or of our settings, and ends no session.
        match serde_json::from_slice(&body) {
            Ok(TokenError { error }) if error == "invalid_grant" => Err(Refusal::Refused),
            Ok(TokenError { error }) if is_code(&error) => {
                Err(unusable(anyhow::anyhow!("it answered {status}, {error}")))
            }
            _ => Err(unusable(anyhow::anyhow!("it answered {status}"))),
        }
    }
}

/// Whether it is a code of an error, such as the standard has them, which a log may hold.
fn is_code(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Name and password are encoded before they become a header (RFC 6749, 2.3.1).
fn encoded(text: &str) -> String {
    let mut url = Url::parse("a:").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().append_key_only(text);
    }
    url.as_ref().and_then(Url::query).unwrap_or(text).to_owned()
}
