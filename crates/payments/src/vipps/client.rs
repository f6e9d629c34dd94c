//! HTTP to Vipps: one call with its access token, its retries, its deadline and its cap on what is read.
//!
//! A [`Call`] is either a read or a change with an `Idempotency-Key`; there is no third kind, so that every call may
//! be repeated. Nothing here logs a body, a header or a URL.

use std::sync::Arc;
use std::time::Instant;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde_json::Value;

use super::token::{Token, Tokens};
use super::{Limits, VippsOptions, wire};
use crate::port::Error;

pub(super) const PROVIDER: &str = "vipps";

const CLIENT_ID: HeaderName = HeaderName::from_static("client_id");
const CLIENT_SECRET: HeaderName = HeaderName::from_static("client_secret");
const SUBSCRIPTION_KEY: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");
const MERCHANT_SERIAL_NUMBER: HeaderName = HeaderName::from_static("merchant-serial-number");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One request to the API.
pub(super) struct Call<'a> {
    operation: &'static str,
    path: String,
    change: Option<(&'a str, Value)>,
}

impl<'a> Call<'a> {
    pub(super) fn read(operation: &'static str, path: String) -> Self {
        Self {
            operation,
            path,
            change: None,
        }
    }

    pub(super) fn change(
        operation: &'static str,
        path: String,
        idempotency_key: &'a str,
        body: Value,
    ) -> Self {
        Self {
            operation,
            path,
            change: Some((idempotency_key, body)),
        }
    }
}

/// Why one attempt failed, and what that means for the next one.
enum Failure {
    /// May pass: try again soon.
    Passing(Error),
    /// Trying again at once is pointless.
    Final(Error),
    /// The access token was refused (401).
    Unauthorized,
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Self::Passing(error) | Self::Final(error) => error,
            // Our keys are wrong or withdrawn. An operator can mend that, and then the same request goes through, so
            // it must not read as a refusal: a refused capture would be given up.
            Self::Unauthorized => Error::Unavailable("our credentials are refused".to_owned()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: Url,
    /// Sent with every request; values are marked sensitive, so `Debug` hides them.
    merchant: HeaderMap,
    /// Sent with token requests only.
    login: HeaderMap,
    limits: Limits,
    tokens: Tokens,
}

impl Client {
    pub(super) fn new(options: VippsOptions) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(options.limits.connect_timeout)
            .timeout(options.limits.attempt_timeout)
            // Credentials go to the configured host and nowhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bilsportlisens/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| Error::Protocol("the HTTP client can't be built".to_owned()))?;
        let credentials = &options.credentials;
        Ok(Self {
            http,
            base_url: base_url(&options.base_url)?,
            merchant: HeaderMap::from_iter([
                (SUBSCRIPTION_KEY, sensitive(&credentials.subscription_key)?),
                (
                    MERCHANT_SERIAL_NUMBER,
                    sensitive(&credentials.merchant_serial_number)?,
                ),
            ]),
            login: HeaderMap::from_iter([
                (CLIENT_ID, sensitive(&credentials.client_id)?),
                (CLIENT_SECRET, sensitive(&credentials.client_secret)?),
            ]),
            limits: options.limits,
            tokens: Tokens::default(),
        })
    }

    /// Makes the call and returns the body of its success. Ends within [`Limits::deadline`].
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        let started = Instant::now();
        let result = match tokio::time::timeout(self.limits.deadline, self.with_retries(call)).await {
            Ok(result) => result.map_err(Failure::into_error),
            Err(_) => Err(Error::Unavailable("no answer before the deadline".to_owned())),
        };
        let elapsed = started.elapsed();
        crate::metrics::request(PROVIDER, call.operation, elapsed, result.as_ref().err());
        if let Err(error) = &result {
            let elapsed_ms = elapsed.as_millis();
            tracing::warn!(provider = PROVIDER, operation = call.operation, elapsed_ms, %error, "payment call failed");
        }
        result
    }

    async fn with_retries(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.limits.retry_delay)
            .with_max_delay(self.limits.retry_delay.saturating_mul(10))
            .with_max_times(self.limits.retries)
            .with_jitter();
        (|| self.attempt(call))
            .retry(backoff)
            .when(|failure| matches!(failure, Failure::Passing(_)))
            .await
    }

    /// One attempt. A refused token is replaced once: it may have been withdrawn before its time.
    async fn attempt(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let token = self.tokens.current(Instant::now(), || self.log_in()).await?;
        match self.send(self.request(call, &token)?).await {
            Err(Failure::Unauthorized) => {
                self.tokens.discard(&token).await;
                let token = self.tokens.current(Instant::now(), || self.log_in()).await?;
                self.send(self.request(call, &token)?).await
            }
            result => result,
        }
    }

    fn request(&self, call: &Call<'_>, token: &Arc<str>) -> Result<RequestBuilder, Failure> {
        let url = self.url(&call.path)?;
        let request = match &call.change {
            None => self.http.request(Method::GET, url),
            Some((key, body)) => self
                .http
                .request(Method::POST, url)
                .header(IDEMPOTENCY_KEY, *key)
                .json(body),
        };
        Ok(request.headers(self.merchant.clone()).bearer_auth(token))
    }

    async fn log_in(&self) -> Result<Token, Failure> {
        let url = self.url("accesstoken/get")?;
        let request = self
            .http
            .post(url)
            .headers(self.merchant.clone())
            .headers(self.login.clone())
            .body("");
        match self.send(request).await {
            Ok(answer) => wire::token(&answer).map_err(Failure::Final),
            // Azure, which issues the tokens, answers 400 to a wrong client id or secret.
            Err(Failure::Final(Error::Refused { .. } | Error::NotFound)) => Err(Failure::Unauthorized),
            Err(failure) => Err(failure),
        }
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let url = self.base_url.join(path);
        url.map_err(|_| Failure::Final(Error::Protocol("the request has no valid URL".to_owned())))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        let is_problem = is_problem(&response);
        let body = self.read_capped(response).await;
        if status.is_success() {
            return body;
        }
        // The status says enough: a body that can't be read costs only the provider's explanation.
        Err(refusal(status, is_problem, body.as_deref().unwrap_or_default()))
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
}

/// What a status other than success means. See `https://developer.vippsmobilepay.com/docs/knowledge-base/errors/`.
fn refusal(status: StatusCode, is_problem: bool, body: &[u8]) -> Failure {
    match status.as_u16() {
        401 => Failure::Unauthorized,
        403 => Failure::Final(Error::Unavailable(
            "our credentials are not allowed to do this".to_owned(),
        )),
        // Only the API itself may say that a payment does not exist. A gateway or a wrong base URL answers 404 too,
        // and believing it would expire an order that has been paid.
        404 if is_problem => Failure::Final(Error::NotFound),
        404 => Failure::Final(Error::Protocol("404 that does not come from the API".to_owned())),
        // Changes are limited to a few a minute per reference: trying again within seconds only makes it worse.
        429 => Failure::Final(Error::Unavailable("too many requests".to_owned())),
        408 | 500..=599 => Failure::Passing(Error::Unavailable(format!("status {}", status.as_u16()))),
        400..=499 => Failure::Final(Error::Refused {
            status: status.as_u16(),
            detail: wire::problem_detail(body),
        }),
        other => Failure::Final(Error::Protocol(format!("status {other}"))),
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
    Failure::Passing(Error::Unavailable(reason.to_owned()))
}

fn is_problem(response: &Response) -> bool {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| {
        value
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("application/problem+json")
    })
}

fn base_url(text: &str) -> Result<Url, Error> {
    // With a slash at the end `join` appends to the path instead of replacing its last part.
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/')));
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| Error::Protocol("the base URL is not an http or https URL".to_owned()))
}

fn sensitive(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Error::Protocol("a credential holds characters that a header can't".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
