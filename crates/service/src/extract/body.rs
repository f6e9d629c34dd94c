//! Request bodies: read whole, within a limit, as bytes or as JSON.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use serde::{Serialize, de::DeserializeOwned};

use super::malformed::{Place, mismatch, not_utf8, unreadable};
use crate::problem::Problem;

/// How many bytes of body a request may have. Set for all routes by [`crate::http`]; a route that takes more says so
/// with `.layer(axum::Extension(BodyLimit(n)))`.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1024 * 1024)
    }
}

/// The raw bytes of the body, for what has to be checked before it is parsed (signatures).
#[derive(Debug, Clone)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let BodyLimit(limit) = request.extensions().get().copied().unwrap_or_default();
        // A declared length is refused before a byte is read, so a polite client need not send it.
        if declared_length(request.headers()).is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        axum::body::to_bytes(request.into_body(), limit)
            .await
            .map(Self)
            .map_err(|error| {
                if over_limit(&error) {
                    too_large(limit)
                } else {
                    Problem::new(
                        StatusCode::BAD_REQUEST,
                        "incomplete_body",
                        "Forbindelsen ble brutt før hele forespørselen kom fram.",
                        "The connection broke before the whole request arrived.",
                    )
                }
            })
    }
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
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            if error.inner().is_data() {
                mismatch(Place::Body, error.path(), error.inner())
            } else {
                unreadable(Place::Body, error.inner())
            }
        })?;
        deserializer
            .end()
            .map_err(|error| unreadable(Place::Body, &error))?;
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

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    if is_json(headers) {
        Ok(())
    } else {
        Err(Problem::from_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
    }
}

/// `application/json` or `application/…+json`, in UTF-8 if it names a charset.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_ascii_lowercase();
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

fn over_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>)
}

fn too_large(limit: usize) -> Problem {
    Problem::from_status(StatusCode::PAYLOAD_TOO_LARGE).detail(format!("the limit is {limit} bytes"))
}
