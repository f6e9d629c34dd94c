//! Idempotency keys: a command that is repeated is done once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use event_store::IdempotencyKey;
use service::problem::Problem;
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a request waits for another one with the same key.
const WAIT: Duration = Duration::from_secs(10);

/// The `Idempotency-Key` of a request, 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestKey(String);

impl RequestKey {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Err(missing());
        };
        let visible =
            |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        match (value.to_str().ok().filter(visible), values.next()) {
            (Some(key), None) => Ok(Self(key.to_owned())),
            _ => Err(invalid()),
        }
    }

    /// A key in the body. A key in the header, too, must be the same.
    pub(crate) fn in_body(key: String, in_header: Option<Self>) -> Result<Self, Problem> {
        if in_header.is_some_and(|in_header| in_header.0 != key) {
            return Err(mismatch());
        }
        Ok(Self(key))
    }

    /// The log's key: `operation` by `user`, for exactly this `body`.
    pub(crate) fn scoped(&self, operation: &str, user: Uuid, body: &[u8]) -> IdempotencyKey {
        IdempotencyKey::new(format!("{operation}:{user}"), self.0.clone(), body)
    }
}

/// The requests of this process that are being worked on, by their key, so that copies of one request ask the payment
/// provider once. The log alone makes storing them once safe.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    keys: Arc<Mutex<HashSet<(String, String)>>>,
    left: Arc<Notify>,
}

/// A request's place; leaving it lets the next one with the same key in.
pub(crate) struct InFlightGuard {
    key: (String, String),
    in_flight: InFlight,
}

impl InFlight {
    /// Waits, bounded, until no other request with this key is being worked on.
    pub(crate) async fn enter(&self, key: &IdempotencyKey) -> Result<InFlightGuard, Problem> {
        let key = (key.scope.clone(), key.key.clone());
        let entered = tokio::time::timeout(WAIT, async {
            loop {
                // Registered before the check, so that no departure is missed.
                let left = self.left.notified();
                if self.keys().insert(key.clone()) {
                    return;
                }
                left.await;
            }
        })
        .await;
        entered.map_err(|_| in_flight())?;
        Ok(InFlightGuard {
            key,
            in_flight: self.clone(),
        })
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        // A panic while the lock is held leaves a whole set of keys.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.in_flight.keys().remove(&self.key);
        self.in_flight.left.notify_waiters();
    }
}

/// Every problem of a request's key, as an example.
pub(crate) fn problems() -> [Problem; 2] {
    [missing(), invalid()]
}

pub(crate) fn missing() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_missing",
        "Forespørselen mangler Idempotency-Key.",
        "The request has no Idempotency-Key.",
    )
}

/// 400: the header has another key than the body.
pub(crate) fn mismatch() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_mismatch",
        "Idempotency-Key må være scan_id, eller utelates.",
        "Idempotency-Key must be scan_id, or absent.",
    )
}

pub(crate) fn invalid() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_invalid",
        "Idempotency-Key må være 1 til 255 synlige ASCII-tegn.",
        "Idempotency-Key must be 1 to 255 visible ASCII characters.",
    )
}

/// 409: another request with this key is being worked on.
pub(crate) fn in_flight() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "request_in_flight",
        "Samme forespørsel er allerede under arbeid. Prøv igjen om litt.",
        "The same request is being worked on already. Try again shortly.",
    )
    .retry_after(1)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};
    use uuid::Uuid;

    use super::{InFlight, RequestKey};

    fn key(value: &[u8]) -> Result<RequestKey, String> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_bytes(value).unwrap());
        RequestKey::from_headers(&headers).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        assert!(key(b"a").is_ok() && key(&[b'~'; 255]).is_ok());
        for bad in [&b""[..], b"a b", b"\xc3\xa6", &[b'a'; 256]] {
            assert_eq!(key(bad), Err("idempotency_key_invalid".into()));
        }
        let missing = RequestKey::from_headers(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.code(), "idempotency_key_missing");
    }

    #[test]
    fn two_keys_are_no_key() {
        let mut headers = HeaderMap::new();
        headers.append("idempotency-key", HeaderValue::from_static("a"));
        headers.append("idempotency-key", HeaderValue::from_static("b"));
        assert!(RequestKey::from_headers(&headers).is_err());
    }

    #[tokio::test]
    async fn one_request_of_a_key_at_a_time() {
        let in_flight = InFlight::default();
        let key = key(b"k").unwrap().scoped("orders", Uuid::nil(), b"{}");
        let first = in_flight.enter(&key).await.unwrap();
        let mut second = Box::pin(in_flight.enter(&key));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await.unwrap());
        assert!(in_flight.keys().is_empty(), "nothing stays behind");
    }
}
