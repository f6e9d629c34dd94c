//! Calls to Vipps: each carries an access token and the sales unit's headers.
//!
//! A [`Call`] is either a read or a change with an `Idempotency-Key`; there is no third kind, so that every call may
//! be repeated. What a status means: `https://developer.vippsmobilepay.com/docs/knowledge-base/errors/`.

use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::options::VippsOptions;
use super::token::{Token, Tokens};
use super::wire;
use crate::client::{self, Failure, Repeat, sensitive};
use crate::port::Error;

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

#[derive(Debug)]
pub(super) struct Client {
    http: client::Client,
    /// Sent with every request; values are marked sensitive, so `Debug` hides them.
    merchant: HeaderMap,
    /// Sent with token requests only.
    login: HeaderMap,
    tokens: Tokens,
}

impl Client {
    pub(super) fn new(options: VippsOptions) -> Result<Self, Error> {
        let credentials = &options.credentials;
        Ok(Self {
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
            http: client::Client::new(&wire::DIALECT, &options.base_url, options.limits)?,
            tokens: Tokens::default(),
        })
    }

    /// Makes the call and returns the body of its success.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        let attempt = || self.attempt(call);
        self.http
            .call(call.operation, Repeat::WhenItMayPass, attempt)
            .await
    }

    /// One attempt. A refused token is replaced once: it may have been withdrawn before its time.
    async fn attempt(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let token = self.tokens.current(Instant::now(), || self.log_in()).await?;
        match self.http.send(self.request(call, &token)?).await {
            Err(Failure::Unauthorized) => {
                self.tokens.discard(&token).await;
                let token = self.tokens.current(Instant::now(), || self.log_in()).await?;
                self.http.send(self.request(call, &token)?).await
            }
            result => result,
        }
    }

    fn request(&self, call: &Call<'_>, token: &Arc<str>) -> Result<RequestBuilder, Failure> {
        let request = match &call.change {
            None => self.http.request(Method::GET, &call.path)?,
            Some((key, body)) => self
                .http
                .request(Method::POST, &call.path)?
                .header(IDEMPOTENCY_KEY, *key)
                .json(body),
        };
        Ok(request.headers(self.merchant.clone()).bearer_auth(token))
    }

    async fn log_in(&self) -> Result<Token, Failure> {
        let request = self
            .http
            .request(Method::POST, "accesstoken/get")?
            .headers(self.merchant.clone())
            .headers(self.login.clone())
            .body("");
        match self.http.send(request).await {
            Ok(answer) => wire::token(&answer).map_err(Failure::Final),
            // Azure, which issues the tokens, answers 400 to a wrong client id or secret.
            Err(Failure::Final(Error::Refused { .. } | Error::NotFound)) => Err(Failure::Unauthorized),
            Err(failure) => Err(failure),
        }
    }
}
