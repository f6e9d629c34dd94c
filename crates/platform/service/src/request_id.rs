//! One id follows a request from the first log line through event metadata to the projector's log lines. A task-local
//! holds it, so no function between the HTTP layer and the event log passes it along.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

/// The header that carries the id in both directions.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id taken over from a caller.
const MAX_LENGTH: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// A request's id: 1 to 64 visible ASCII characters. As an extractor it is always present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A fresh id (a version 7 UUID, so that ids sort by time).
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The given text if it is a well-formed id. Anything else would let a caller write into our logs and headers.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=MAX_LENGTH).contains(&text.len())).then(|| Self(text.into()))
    }

    /// The caller's id if there is exactly one and it is well-formed, else a fresh one.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(&HEADER).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(Self::parse),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a header value.
    pub fn header_value(&self) -> HeaderValue {
        // A RequestId holds visible ASCII only, which is always a valid header value.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// The id of the request this task works for, if it works for one. Not inherited by spawned tasks: wrap those in
/// [`scope`].
pub fn current() -> Option<String> {
    CURRENT.try_with(|id| id.as_str().to_owned()).ok()
}

/// Runs a future as work for the given request: [`current`] answers it and every log line inside carries it.
pub async fn scope<F: Future>(id: RequestId, future: F) -> F::Output {
    // An error-level span, because a span below the log filter is not created and its fields would be lost.
    let span = tracing::error_span!("request", request_id = %id);
    CURRENT.scope(id, future.instrument(span)).await
}
