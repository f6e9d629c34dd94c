//! HTTP to a provider: one call with its retries, its deadline and its cap on what is read. The adapters share it.
//!
//! Nothing here logs a body, a header or a URL.

use std::future::Future;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;

use crate::port::Error;

/// How much of a provider's explanation is kept, in characters.
const MAX_DETAIL: usize = 300;

/// Bounds on one call to a provider.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// For one attempt, from the first byte sent to the last byte of the answer.
    pub attempt_timeout: Duration,
    /// For the whole call: access token, attempts and the waits between them.
    pub deadline: Duration,
    /// How often to try again after a failure that may pass.
    pub retries: usize,
    /// The first wait between attempts; it doubles, with jitter, up to ten times this.
    pub retry_delay: Duration,
    /// The largest answer read, in bytes.
    pub max_answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
            retries: 2,
            retry_delay: Duration::from_millis(100),
            max_answer_bytes: 64 * 1024,
        }
    }
}

/// How a provider writes its errors.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The provider's name, in events and in the label `provider`.
    pub(crate) provider: &'static str,
    /// The media type of its own errors. A gateway's errors have another one.
    pub(crate) error_type: &'static str,
    /// The explanation in the body of an error, or nothing.
    pub(crate) detail: fn(&[u8]) -> String,
}

/// Which failures a call may be repeated after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A read, or a change that the provider does once however often it is asked.
    WhenItMayPass,
    /// A change that each request does again: only if the request was not sent.
    WhenUnsent,
}

/// Why one attempt failed, and what that means for the next one.
pub(crate) enum Failure {
    /// No connection: nothing was sent.
    Unsent(Error),
    /// May pass: try again soon.
    Passing(Error),
    /// Trying again at once is pointless.
    Final(Error),
    /// Our credentials were refused (401).
    Unauthorized,
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Self::Unsent(error) | Self::Passing(error) | Self::Final(error) => error,
            // Our keys are wrong or withdrawn. Once an operator has corrected them the same request succeeds. As a refusal
            // it would make the shop give up a capture.
            Self::Unauthorized => Error::Unavailable("our credentials are refused".to_owned()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: Url,
    limits: Limits,
    dialect: &'static Dialect,
}

impl Client {
    pub(crate) fn new(dialect: &'static Dialect, base_url: &str, limits: Limits) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.attempt_timeout)
            // Credentials go to the configured host and nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bilsportlisens/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| Error::Protocol("the HTTP client can't be built".to_owned()))?;
        Ok(Self {
            http,
            base_url: parse_base_url(base_url)?,
            limits,
            dialect,
        })
    }

    /// Makes a call and returns the body of its success. Ends within [`Limits::deadline`].
    pub(crate) async fn call<F>(
        &self,
        operation: &'static str,
        repeat: Repeat,
        attempt: impl FnMut() -> F,
    ) -> Result<Vec<u8>, Error>
    where
        F: Future<Output = Result<Vec<u8>, Failure>>,
    {
        let started = Instant::now();
        let attempts = self.with_retries(repeat, attempt);
        let result = match tokio::time::timeout(self.limits.deadline, attempts).await {
            Ok(result) => result.map_err(Failure::into_error),
            Err(_) => Err(Error::Unavailable("no answer before the deadline".to_owned())),
        };
        let (provider, elapsed) = (self.dialect.provider, started.elapsed());
        crate::metrics::request(provider, operation, elapsed, result.as_ref().err());
        if let Err(error) = &result {
            let elapsed_ms = elapsed.as_millis();
            tracing::warn!(provider, operation, elapsed_ms, %error, "payment call failed");
        }
        result
    }

    async fn with_retries<F>(&self, repeat: Repeat, attempt: impl FnMut() -> F) -> Result<Vec<u8>, Failure>
    where
        F: Future<Output = Result<Vec<u8>, Failure>>,
    {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.limits.retry_delay)
            .with_max_delay(self.limits.retry_delay.saturating_mul(10))
            .with_max_times(self.limits.retries)
            .with_jitter();
        attempt
            .retry(backoff)
            .when(|failure| match failure {
                Failure::Unsent(_) => true,
                Failure::Passing(_) => repeat == Repeat::WhenItMayPass,
                Failure::Final(_) | Failure::Unauthorized => false,
            })
            .await
    }

    /// A request to `path` below the base URL.
    pub(crate) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.base_url.join(path);
        let url =
            url.map_err(|_| Failure::Final(Error::Protocol("the request has no valid URL".to_owned())))?;
        Ok(self.http.request(method, url))
    }

    /// Sends one request and returns the body of its success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        let is_own_error = self.is_own_error(&response);
        let body = self.read_capped(response).await;
        if status.is_success() {
            return body;
        }
        // The status says enough: a body that can't be read costs only the provider's explanation.
        Err(self.refusal(status, is_own_error, body.as_deref().unwrap_or_default()))
    }

    async fn read_capped(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
            if body.len() + chunk.len() > self.limits.max_answer_bytes {
                return Err(Failure::Final(Error::Protocol(
                    "the answer is too large".to_owned(),
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What a status other than success means.
    fn refusal(&self, status: StatusCode, is_own_error: bool, body: &[u8]) -> Failure {
        match status.as_u16() {
            401 => Failure::Unauthorized,
            403 => Failure::Final(Error::Unavailable(
                "our credentials are not allowed to do this".to_owned(),
            )),
            // Only an error from the API itself proves that a payment does not exist. A gateway or a wrong base URL answers
            // 404 too; taken as proof, that would expire a paid order.
            404 if is_own_error => Failure::Final(Error::NotFound),
            404 => Failure::Final(Error::Protocol("404 that does not come from the API".to_owned())),
            // Changes are limited to a few a minute per payment: trying again within seconds only makes it worse.
            429 => Failure::Final(Error::Unavailable("too many requests".to_owned())),
            408 | 500..=599 => Failure::Passing(Error::Unavailable(format!("status {}", status.as_u16()))),
            400..=499 => Failure::Final(Error::Refused {
                status: status.as_u16(),
                detail: (self.dialect.detail)(body).chars().take(MAX_DETAIL).collect(),
            }),
            other => Failure::Final(Error::Protocol(format!("status {other}"))),
        }
    }

    fn is_own_error(&self, response: &Response) -> bool {
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        content_type.is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case(self.dialect.error_type)
        })
    }
}

/// What a failure below HTTP means. The error's own text is left out: it holds the URL.
fn transport(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::Final(Error::Protocol("the request can't be sent".to_owned()));
    }
    let reason = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "connection failed"
    } else {
        "the connection broke"
    };
    let reason = Error::Unavailable(reason.to_owned());
    if error.is_connect() {
        Failure::Unsent(reason)
    } else {
        Failure::Passing(reason)
    }
}

fn parse_base_url(text: &str) -> Result<Url, Error> {
    // With a slash at the end `join` appends to the path instead of replacing its last part.
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/')));
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| Error::Protocol("the base URL is not an http or https URL".to_owned()))
}

/// A header's value that `Debug` does not show.
pub(crate) fn sensitive(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Error::Protocol("a credential holds characters that a header can't".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads an answer. The error names the place, never the content.
pub(crate) fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(answer).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Error::Protocol(format!("not the expected JSON at line {line} column {column}"))
    })
}
