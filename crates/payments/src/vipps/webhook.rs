//! Webhooks from Vipps: verification of the signature, and parsing.
//!
//! The signature covers method, path, host, date and body. **The date is not compared with the clock**: Vipps retries
//! a delivery for up to seven days and does not promise a new date for each try, so a limit would turn a slow recovery
//! of ours into lost messages. A replayed message is harmless instead, by two rules of the receiver: it drops what it
//! has seen ([`Event::dedupe_key`]), and it acts on the payment as read from the provider, never on the message.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;

/// Header with the time of sending, as in RFC 9110.
pub const DATE_HEADER: &str = "x-ms-date";
/// Header with base64 of the SHA-256 of the body.
pub const CONTENT_HASH_HEADER: &str = "x-ms-content-sha256";
/// Header with the signature.
pub const AUTHORIZATION_HEADER: &str = "authorization";

const SCHEME: &str = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";

/// Why a webhook is refused. For our log only: the sender gets a bare 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A header of the signature is absent, or is not text.
    #[error("header {0} is missing")]
    MissingHeader(&'static str),
    /// The `Authorization` header has another form.
    #[error("the authorization header is malformed")]
    MalformedAuthorization,
    /// The body is not the one that was hashed.
    #[error("the content hash does not match the body")]
    ContentHash,
    /// Wrong secret, or something signed was altered.
    #[error("the signature does not match")]
    Signature,
}

/// Checks that the sender knows `secret` and that nothing signed was altered on the way.
///
/// `host` and `path_and_query` are those the provider called: the configured public address, which behind a proxy is
/// not what this process sees. `host` carries the port unless it is the scheme's own; [`host_of`] gives it. `body`
/// is the body as received, byte for byte. The key is the UTF-8 text of `secret`, although it looks like base64.
pub fn verify(
    secret: &str,
    method: &str,
    path_and_query: &str,
    host: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Refused> {
    let date = header(headers, DATE_HEADER)?;
    let content_hash = header(headers, CONTENT_HASH_HEADER)?;
    let authorization = header(headers, AUTHORIZATION_HEADER)?;
    let signature = authorization
        .strip_prefix(SCHEME)
        .ok_or(Refused::MalformedAuthorization)?;
    let signature = BASE64
        .decode(signature)
        .map_err(|_| Refused::MalformedAuthorization)?;

    let expected = hash_of(body);
    verify_slices_are_equal(expected.as_bytes(), content_hash.as_bytes())
        .map_err(|_| Refused::ContentHash)?;
    let text = string_to_sign(method, path_and_query, date, host, content_hash);
    hmac::verify(&key(secret), text.as_bytes(), &signature).map_err(|_| Refused::Signature)
}

/// The headers that make a request verifiable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// For [`CONTENT_HASH_HEADER`].
    pub content_hash: String,
    /// For [`AUTHORIZATION_HEADER`].
    pub authorization: String,
}

/// Signs as the provider does, for the emulator and for tests. `date` goes into [`DATE_HEADER`] unchanged.
pub fn sign(secret: &str, method: &str, path_and_query: &str, host: &str, date: &str, body: &[u8]) -> Signed {
    let content_hash = hash_of(body);
    let text = string_to_sign(method, path_and_query, date, host, &content_hash);
    let signature = BASE64.encode(hmac::sign(&key(secret), text.as_bytes()));
    Signed {
        content_hash,
        authorization: format!("{SCHEME}{signature}"),
    }
}

/// The host of `url` as a client sends it: `example.org`, or `127.0.0.1:8080` with a port that is not the scheme's.
/// `None` if `url` is not an absolute http or https URL.
pub fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refused> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or(Refused::MissingHeader(name))
}

fn hash_of(body: &[u8]) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, body))
}

fn string_to_sign(method: &str, path_and_query: &str, date: &str, host: &str, content_hash: &str) -> String {
    format!("{method}\n{path_and_query}\n{date};{host};{content_hash}")
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

/// A webhook's body: a reason to read the payment, never a fact to act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The sales unit.
    pub msn: String,
    /// Our name for the payment.
    pub reference: String,
    /// The provider's name for the operation.
    pub psp_reference: String,
    /// What happened.
    pub name: EventName,
    /// Not to be trusted: read the payment.
    pub amount: Amount,
    /// When, as the provider wrote it.
    pub timestamp: String,
    /// The key of the request that caused it, if a request did.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Whether the operation succeeded.
    pub success: bool,
}

impl Event {
    /// Reads a body. The error names the place, never the content.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedEvent> {
        serde_json::from_slice(body).map_err(|error| MalformedEvent {
            line: error.line(),
            column: error.column(),
        })
    }

    /// The same for every delivery of one event, which carries no id of its own.
    pub fn dedupe_key(&self) -> (&str, &EventName, &str) {
        (&self.psp_reference, &self.name, &self.timestamp)
    }
}

/// A body that is not a webhook's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook event at line {line} column {column}")]
pub struct MalformedEvent {
    /// Line of the body, from 1.
    pub line: usize,
    /// Column in that line.
    pub column: usize,
}

/// What can happen to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventName {
    /// We created it.
    Created,
    /// The customer approved it.
    Authorized,
    /// The customer declined it.
    Aborted,
    /// The customer did not answer in time.
    Expired,
    /// We cancelled it after it was approved.
    Cancelled,
    /// Money was taken.
    Captured,
    /// Money was given back.
    Refunded,
    /// We cancelled it before it was approved.
    Terminated,
    /// Something newer than this code: read the payment all the same.
    #[serde(untagged)]
    Other(String),
}

/// An amount as the provider writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Amount {
    /// ISO 4217.
    pub currency: String,
    /// In minor units: øre.
    pub value: i64,
}
