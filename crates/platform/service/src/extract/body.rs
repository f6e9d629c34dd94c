//! Request bodies: read whole, within a limit, as bytes or as JSON.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::malformed::{self, RequestPart, mismatch, not_utf8, unreadable};
use super::objects::Objects;
use super::times::with_every_other;
use crate::problem::Problem;

/// How many bytes of body a request may have. [`crate::http`] sets it for all routes; a route that takes more sets its own
/// with `.layer(axum::Extension(BodyLimit(n)))`.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1024 * 1024)
    }
}

/// How many bytes beyond the limit are read and thrown away before the answer.
const MOST_DISCARDED: usize = 8 << 20;

/// How long the body of a request may take to arrive. Set for all routes by [`crate::http`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyPatience(pub(crate) Duration);

/// The raw bytes of the body, for signatures, which are verified before parsing.
#[derive(Debug, Clone)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or_default();
        let headers = request.headers();
        must_be_plain(headers)?;
        let declared = declared_length(headers).filter(|length| *length > limit as u64);
        // Refused before a byte is read: a client that sends `Expect: 100-continue` then sends no body.
        if declared.is_some_and(|length| {
            headers.contains_key(header::EXPECT) || length > (limit + MOST_DISCARDED) as u64
        }) {
            return Err(too_large(limit));
        }
        let patience = request
            .extensions()
            .get::<BodyPatience>()
            .map(|patience| patience.0);
        let read = read(request.into_body(), limit);
        match patience {
            Some(patience) => tokio::time::timeout(patience, read)
                .await
                .map_err(|_elapsed| too_slow(patience))?,
            None => read.await,
        }
        .map(Self)
    }
}

/// The whole body, if it is within the limit. A body that is somewhat larger is also read to its end: a client that
/// still writes when the connection closes cannot read the refusal.
async fn read(mut body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| incomplete_body())?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length > limit + MOST_DISCARDED {
            break;
        }
        if length <= limit {
            kept.extend_from_slice(&data);
        }
    }
    if length > limit {
        return Err(too_large(limit));
    }
    Ok(kept.into())
}

/// Every problem of a body that is read as JSON, as an example.
pub fn problems_of_bodies() -> Vec<Problem> {
    let general = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ];
    let mut problems: Vec<Problem> = malformed::of_bodies().into();
    problems.push(incomplete_body());
    problems.extend(general.map(Problem::from_status));
    problems
}

/// 400: the connection broke before the whole body arrived.
pub fn incomplete_body() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "incomplete_body",
        "Forbindelsen ble brutt før hele forespørselen kom fram.",
        "The connection broke before the whole request arrived.",
    )
}

/// JSON in both directions: as an extractor it refuses with a problem that points at the field, as an answer it is
/// `application/json`.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (headers, body) = (request.headers().clone(), Body::from_request(request, state));
        must_be_json(&headers)?;
        let Body(bytes) = body.await?;
        Self::from_bytes(&bytes)
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Parses a body that was read as [`Body`] first, if its headers say that it is JSON.
    pub fn from_request_parts(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Problem> {
        must_be_json(headers)?;
        Self::from_bytes(bytes)
    }

    /// Parses a body that was read as [`Body`] first, whatever its headers say.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
        // RFC 8259, 8.1: a reader may ignore a byte order mark, which some editors and languages write.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(Objects(&mut deserializer)).map_err(|error| {
            if error.inner().is_data() {
                let first = mismatch(RequestPart::Body, error.path(), error.inner());
                with_every_other::<T>(first, text, &error)
            } else {
                unreadable(RequestPart::Body, error.inner())
            }
        })?;
        deserializer
            .end()
            .map_err(|error| unreadable(RequestPart::Body, &error))?;
        Ok(Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// 415 for a compressed body: nothing is ever inflated, so a small request never becomes a large one.
pub fn must_be_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let problem = Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let accepted = HeaderValue::from_static("identity");
    Err(problem
        .detail("the body must not be compressed")
        .header(header::ACCEPT_ENCODING, accepted))
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    if is_json(headers) {
        Ok(())
    } else {
        Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

/// `application/json` or `application/…+json`, in UTF-8 if it names a charset.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    // Of two headers, another reader might take the other one.
    let (Some(content_type), None) = (values.next(), values.next()) else {
        return false;
    };
    let content_type = content_type.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts
        .next()
        .and_then(|essence| essence.strip_prefix("application/"))
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"));
    let utf8 = |charset: &str| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii");
    json && parts.filter_map(|part| part.strip_prefix("charset=")).all(utf8)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The rest of the body would be read as the next request, so the connection ends with this answer.
fn too_slow(patience: Duration) -> Problem {
    Problem::from_status(StatusCode::REQUEST_TIMEOUT)
        .detail(format!(
            "the body did not arrive within {} s",
            patience.as_secs_f64()
        ))
        .header(header::CONNECTION, "close")
}

fn too_large(limit: usize) -> Problem {
    Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).detail(format!("the limit is {limit} bytes"))
}
