//! A limiter as the programs have it, on a real Redis, and a look into that Redis.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use service::health::Health;
use service::limits::{Class, LimitOptions, Limiter, Reader, Verdict};
use service::redis::{Redis, RedisOptions};
use service::return_key::ReturnKey;
use system_tests::PATIENCE;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// Long enough that a slow machine is no outage.
pub(crate) const PATIENT_MS: u16 = 5000;

/// One instance of a program, as far as limits go.
pub(crate) struct Instance {
    pub(crate) limiter: Limiter,
    pub(crate) redis: Redis,
    pub(crate) health: Health,
    _stop: DropGuard,
}

impl Instance {
    /// Connected, with these limits and a secret of the test.
    pub(crate) async fn start(url: &str, time_limit_ms: u16, limits: &str, secret: &[u8; 32]) -> Self {
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone());
        let options = RedisOptions::at(url, time_limit_ms);
        let redis = options.connect(&health, stop.clone()).unwrap().unwrap();
        let options = LimitOptions {
            rate_limits: limits.parse().unwrap(),
            rate_limit_instances: 2,
        };
        let limiter = options.limiter("test", Some(redis.clone()), &ReturnKey::new(secret).unwrap());
        let instance = Self {
            limiter,
            redis,
            health,
            _stop: stop.drop_guard(),
        };
        instance.is_connected().await;
        instance
    }

    /// Waits until Redis is used.
    pub(crate) async fn is_connected(&self) {
        let connected = self.redis.connected();
        tokio::time::timeout(PATIENCE, connected).await.unwrap();
    }

    /// Whether the instance is ready, and why its health is degraded.
    pub(crate) fn readiness(&self) -> (bool, Option<String>) {
        let readiness = self.health.readiness();
        let shown = serde_json::to_value(&readiness).unwrap();
        let reason = shown.pointer("/checks/0/reason").and_then(Value::as_str);
        (readiness.is_ready(), reason.map(ToOwned::to_owned))
    }
}

/// A secret of this test: keys in a shared Redis follow from it.
pub(crate) fn secret() -> [u8; 32] {
    let (one, two) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    [one, two].concat().try_into().unwrap()
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A person at an address.
pub(crate) fn customer(number: u128, at: &str) -> Reader {
    Reader::Known {
        class: Class::Customer,
        user_id: Uuid::from_u128(number),
        address: address(at),
    }
}

/// Whether a request is admitted.
pub(crate) async fn admits(instance: &Instance, reader: &Reader) -> bool {
    instance.limiter.check(reader).await.refusal().is_none()
}

/// What is left of a limit, as a client reads it.
pub(crate) fn left(verdict: &Verdict, class: &str) -> u64 {
    let mut headers = HeaderMap::new();
    verdict.mark(&mut headers);
    let state = headers["ratelimit"].to_str().unwrap();
    let start = format!("\"{class}\";r=");
    let of_class = state.split(", ").find_map(|state| state.strip_prefix(&start));
    let of_class = of_class.unwrap_or_else(|| panic!("no {class} in {state}"));
    of_class.split(';').next().unwrap().parse().unwrap()
}

/// The seconds that a refused request is told to wait.
pub(crate) fn retry_after(verdict: &Verdict) -> u64 {
    let response = verdict.refusal().unwrap().into_response();
    let seconds = response.headers()["retry-after"].to_str().unwrap();
    seconds.parse().unwrap()
}

/// A connection of the test's own.
pub(crate) async fn connection(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// A command, as words with spaces between.
pub(crate) async fn say<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &str,
) -> RedisResult<T> {
    let mut words = command.split(' ');
    let mut said = redis::cmd(words.next().unwrap());
    for word in words {
        said.arg(word);
    }
    said.query_async(connection).await
}
