//! The issuer's description of itself (OpenID Connect Discovery), read again from time to time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use service::health::Check;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How soon to try again after the first failure, doubled for each further one up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// How often the description is read without a cause.
const REFRESH: Duration = Duration::from_hours(1);
/// The largest answer of the issuer that is read.
const MAX_BYTES: usize = 64 * 1024;

/// The issuer's addresses.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) revocation: Option<Url>,
    pub(super) end_session: Option<Url>,
}

#[derive(Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    end_session_endpoint: Option<String>,
}

/// Where the description is.
pub(super) struct Source {
    http: reqwest::Client,
    url: Url,
    issuer: String,
}

impl Source {
    pub(super) fn new(http: reqwest::Client, url: &str, issuer: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http,
            url: url.parse().context("bad discovery URL")?,
            issuer: issuer.to_owned(),
        })
    }

    /// Reads it now and again.
    pub(super) fn follow(
        self,
        check: Check,
        shutdown: CancellationToken,
    ) -> watch::Receiver<Option<Arc<Endpoints>>> {
        let (sender, receiver) = watch::channel(None);
        check.degraded("logins fail: the issuer has not been reached yet");
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            let mut pause = RETRY_FIRST;
            loop {
                match self.endpoints().await {
                    Ok(endpoints) => {
                        sender.send_replace(Some(Arc::new(endpoints)));
                        check.ok();
                        pause = RETRY_FIRST;
                        tokio::time::sleep(REFRESH).await;
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(error, "cannot read the issuer's description");
                        tokio::time::sleep(pause).await;
                        pause = (2 * pause).min(RETRY_LAST);
                    }
                }
            }
        }));
        receiver
    }

    async fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let request = self.http.get(self.url.clone()).send();
        let response = request.await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        ensure!(status == StatusCode::OK, "the issuer answered {status}");
        let body = read(response).await?;
        let description: Description = serde_json::from_slice(&body).context("it describes nothing")?;
        // Discovery, 4.3: another issuer's description leads to another issuer.
        ensure!(description.issuer == self.issuer, "it is of another issuer");
        let address = |text: String| Url::parse(&text).context("it has an address that is none");
        Ok(Endpoints {
            authorization: address(description.authorization_endpoint)?,
            token: address(description.token_endpoint)?,
            revocation: description.revocation_endpoint.map(address).transpose()?,
            end_session: description.end_session_endpoint.map(address).transpose()?,
        })
    }
}

/// The body of an answer, as far as one is read.
pub(super) async fn read(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        ensure!(
            body.len() + chunk.len() <= MAX_BYTES,
            "the answer is larger than {MAX_BYTES} bytes"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
