//! The issuer's public keys, cached by key id.
//!
//! One task does all fetching, so there is at most one fetch at a time. Requests wait for its result, never for a lock.
//! Keys stay in use while the issuer can't be reached.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use anyhow::{Context, ensure};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::health::Check;
use crate::metrics;

/// How soon to try again after the first failure, doubled for each further one up to the last.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// The largest key set read.
const MAX_BYTES: usize = 256 * 1024;

/// Intervals and timeout of key fetches.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long one fetch may take, connect and body included.
    pub fetch_timeout: Duration,
    /// The shortest time between two fetches that tokens with unknown key ids can cause.
    pub min_interval: Duration,
    /// How often keys are fetched without a cause, so that withdrawn keys stop working.
    pub refresh_interval: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fetch_timeout: Duration::from_secs(2),
            min_interval: Duration::from_secs(5),
            refresh_interval: Duration::from_mins(5),
        }
    }
}

type Keys = HashMap<String, Arc<DecodingKey>>;

/// The cached keys. Dropping the last handle ends the fetching task.
#[derive(Debug)]
pub(super) struct Jwks {
    shared: Arc<Shared>,
    _fetching: DropGuard,
}

#[derive(Debug)]
struct Shared {
    pace: Pace,
    keys: RwLock<Keys>,
    wanted: Notify,
    last_fetch: watch::Sender<Fetch>,
    check: RwLock<Option<Check>>,
}

/// The most recent finished fetch.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    begun: Option<Instant>,
    ok: bool,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has no key of that id.
    Unknown,
    /// The issuer could not be asked.
    Unavailable,
}

impl Jwks {
    /// Starts fetching at once, in a task of the current runtime.
    pub(super) fn start(url: &str, algorithm: Algorithm, pace: Pace) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(pace.fetch_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot build the client for the issuer's keys")?;
        let source = Source {
            client,
            url: url.parse().context("bad JWKS URL")?,
            algorithm,
        };
        let shared = Arc::new(Shared {
            pace,
            keys: RwLock::default(),
            wanted: Notify::new(),
            last_fetch: watch::Sender::new(Fetch {
                begun: None,
                ok: false,
            }),
            check: RwLock::new(None),
        });
        let stop = CancellationToken::new();
        let fetching = fetch_forever(source, Arc::clone(&shared));
        tokio::spawn(stop.clone().run_until_cancelled_owned(fetching));
        Ok(Self {
            shared,
            _fetching: stop.drop_guard(),
        })
    }

    /// Reports on this check from now on: failing until keys have been fetched once.
    pub(super) fn report_to(&self, check: Check) {
        let mut slot = self.shared.check.write().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.keys().is_empty() {
            check.ok();
        }
        *slot = Some(check);
    }

    /// The key of that id, fetched if it is new and the last fetch is long enough ago. Waits for at most one fetch.
    pub(super) async fn key(&self, id: &str) -> Result<Arc<DecodingKey>, Missing> {
        if let Some(key) = self.shared.key(id) {
            return Ok(key);
        }
        let Pace {
            fetch_timeout,
            min_interval,
            ..
        } = self.shared.pace;
        let mut last_fetch = self.shared.last_fetch.subscribe();
        let begun = last_fetch.borrow_and_update().begun;
        if begun.is_none_or(|begun| begun.elapsed() >= min_interval) {
            self.shared.wanted.notify_one();
            // A fetch ends within its own timeout. The margin covers the scheduling of the task.
            let _ = tokio::time::timeout(fetch_timeout + RETRY_FIRST, last_fetch.changed()).await;
        }
        let issuer_answered = last_fetch.borrow().ok;
        self.shared.key(id).ok_or(if issuer_answered {
            Missing::Unknown
        } else {
            Missing::Unavailable
        })
    }
}

impl Shared {
    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, id: &str) -> Option<Arc<DecodingKey>> {
        self.keys().get(id).cloned()
    }

    fn store(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.report(Check::ok);
    }

    /// A failed fetch: the cached keys stay in use. Without cached keys no login succeeds.
    fn keep(&self) {
        if self.keys().is_empty() {
            self.report(|check| check.fail("the issuer's keys could not be fetched yet"));
        }
    }

    fn report(&self, outcome: impl Fn(&Check)) {
        if let Some(check) = &*self.check.read().unwrap_or_else(PoisonError::into_inner) {
            outcome(check);
        }
    }
}

/// Fetches at once, then on demand (within the pace), after failures, and at the refresh interval.
async fn fetch_forever(source: Source, shared: Arc<Shared>) {
    let mut failures = 0_u32;
    loop {
        let begun = Instant::now();
        let ok = match source.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the issuer's keys");
                shared.store(keys);
                failures = 0;
                true
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot fetch the issuer's keys");
                shared.keep();
                failures += 1;
                false
            }
        };
        let outcome = if ok { "ok" } else { "failed" };
        ::metrics::counter!(metrics::JWKS_REFRESHES, "outcome" => outcome).increment(1);
        shared.last_fetch.send_replace(Fetch {
            begun: Some(begun),
            ok,
        });

        let scheduled = begun
            + if ok {
                shared.pace.refresh_interval
            } else {
                retry_delay(failures)
            };
        tokio::select! {
            () = tokio::time::sleep_until(scheduled) => {}
            () = wanted_again(&shared, begun) => {}
        }
    }
}

/// Returns when a key is requested and the minimum interval since the last fetch is over. Requests from before the last
/// fetch have been answered by it.
async fn wanted_again(shared: &Shared, last: Instant) {
    loop {
        shared.wanted.notified().await;
        if last.elapsed() >= shared.pace.min_interval {
            return;
        }
    }
}

fn retry_delay(failures: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .min(RETRY_LAST)
}

/// Where the keys come from, and which of them count.
struct Source {
    client: reqwest::Client,
    url: reqwest::Url,
    algorithm: Algorithm,
}

/// Keys are parsed one by one, so that one of a new kind does not hide the others.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl Source {
    async fn fetch(&self) -> anyhow::Result<Keys> {
        let mut response = self
            .client
            .get(self.url.clone())
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        ensure!(
            response.status().is_success(),
            "the issuer answered {}",
            response.status()
        );
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            ensure!(
                body.len() + chunk.len() <= MAX_BYTES,
                "the key set is larger than {MAX_BYTES} bytes"
            );
            body.extend_from_slice(&chunk);
        }
        let set: KeySet = serde_json::from_slice(&body).context("the answer is not a key set")?;
        let keys: Keys = set.keys.into_iter().filter_map(|key| self.usable(key)).collect();
        ensure!(
            !keys.is_empty(),
            "the key set has no key for {:?}",
            self.algorithm
        );
        Ok(keys)
    }

    /// A key with an id, for signatures, of the pinned algorithm.
    fn usable(&self, key: serde_json::Value) -> Option<(String, Arc<DecodingKey>)> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let named = format!("{:?}", self.algorithm);
        let fits = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(_) => self.algorithm.family() == AlgorithmFamily::Ec,
            AlgorithmParameters::RSA(_) => self.algorithm.family() == AlgorithmFamily::Rsa,
            AlgorithmParameters::OctetKeyPair(_) => self.algorithm.family() == AlgorithmFamily::Ed,
            _ => false,
        };
        let for_signatures = jwk
            .common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let for_algorithm = jwk
            .common
            .key_algorithm
            .is_none_or(|algorithm| algorithm.to_string() == named);
        if !(fits && for_signatures && for_algorithm) {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some((jwk.common.key_id?, Arc::new(key)))
    }
}
