//! What every command's request carries besides its body, read and checked in one place.

use std::marker::PhantomData;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderMap, StatusCode, Uri};
use envelope::Metadata;
use event_store::IdempotencyKey;
use service::auth::{Caller, Principal};
use service::extract::{Body, Json, Path};
use service::problem::Problem;
use service::request_id;

use crate::idempotency::{self, RequestKey};
use crate::operation::Operation;
use crate::state::AppState;

/// A request that the caller may send, read as far as it can be without the log.
pub(crate) struct Incoming<O: Operation> {
    pub(crate) principal: Principal,
    /// Says whether the caller may use this route for a thing, by the route's row in [`policy::POLICY`].
    pub(crate) caller: Caller,
    pub(crate) path: O::Path,
    pub(crate) request: O,
    pub(crate) metadata: Metadata,
    /// The version that `If-Match` demands.
    pub(crate) expected_version: Option<u64>,
    /// The key of this operation.
    pub(crate) key: IdempotencyKey,
    request_key: RequestKey,
    body: Body,
    operation: PhantomData<O>,
}

impl<O: Operation> Incoming<O> {
    /// The key of a step of this operation, for the same request.
    pub(crate) fn step_key(&self, step: &str) -> IdempotencyKey {
        let operation = format!("{}:{step}", O::NAME);
        self.request_key
            .scoped(&operation, self.principal.user_id, &self.body.0)
    }
}

impl<O: Operation> FromRequest<AppState> for Incoming<O> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let principal = caller.principal.clone();
        no_parameters(&parts.uri)?;
        let Path(path) = Path::<O::Path>::from_request_parts(&mut parts, state).await?;
        let headers = parts.headers.clone();
        let body = Body::from_request(Request::from_parts(parts, body), state).await?;
        let operation = match O::target(&path)? {
            None => O::NAME.to_owned(),
            Some(target) => format!("{}:{target}", O::NAME),
        };
        let in_header = if O::KEY_IN_BODY && !headers.contains_key("idempotency-key") {
            None
        } else {
            Some(RequestKey::from_headers(&headers)?)
        };
        let Json(request): Json<O> = if O::BODY_MAY_BE_EMPTY && body.0.is_empty() {
            Json::from_bytes(b"{}")?
        } else {
            Json::from_request_parts(&headers, &body.0)?
        };
        let request_key = match (request.key_in_body(), in_header) {
            (Some(key), in_header) => RequestKey::in_body(key, in_header)?,
            (None, Some(key)) => key,
            (None, None) => return Err(idempotency::missing()),
        };
        let key = request_key.scoped(&operation, principal.user_id, &body.0);
        let expected_version = if O::CREATES {
            None
        } else {
            expected_version(&headers)?
        };
        Ok(Self {
            metadata: metadata(&principal, &headers),
            principal,
            caller,
            path,
            request,
            expected_version,
            key,
            request_key,
            body,
            operation: PhantomData,
        })
    }
}

/// A command has its body and its path; a parameter would be ignored, so it is refused.
fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(_) => Err(unknown_parameter()),
    }
}

/// 400: the address has parameters.
pub(crate) fn unknown_parameter() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_parameter",
        "Adressen til en kommando har ingen parametre.",
        "The address of a command has no parameters.",
    )
}

/// Who and what led to the events of a request.
pub(crate) fn metadata(principal: &Principal, headers: &HeaderMap) -> Metadata {
    let request_id = request_id::current();
    Metadata {
        correlation_id: request_id.clone(),
        request_id,
        causation_position: None,
        actor: Some(principal.user_id.to_string()),
        actor_role: principal.highest_role().map(|role| role.name().to_owned()),
        traceparent: traceparent(headers),
    }
}

/// The version that `If-Match` demands: `"7"`, `7` or nothing.
fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all("if-match").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let version = value.to_str().ok().and_then(version);
    version
        .filter(|_| values.next().is_none())
        .map(Some)
        .ok_or_else(if_match_invalid)
}

/// Digits, bare or in one pair of quotes.
fn version(text: &str) -> Option<u64> {
    let bare = text
        .strip_prefix('"')
        .map_or(Some(text), |rest| rest.strip_suffix('"'))?;
    let digits = bare.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| bare.parse().ok())?
}

/// 400: `If-Match` is no version.
pub(crate) fn if_match_invalid() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "if_match_invalid",
        "If-Match må være en versjon, for eksempel \"3\".",
        "If-Match must be a version, for example \"3\".",
    )
}

/// A W3C trace context. Other text is dropped, because the value is stored with the events.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let shaped = value.len() == 55 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    shaped.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{expected_version, traceparent};

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn if_match_is_a_version() {
        assert_eq!(expected_version(&HeaderMap::new()).unwrap(), None);
        assert_eq!(expected_version(&with("if-match", "\"7\"")).unwrap(), Some(7));
        assert_eq!(expected_version(&with("if-match", "7")).unwrap(), Some(7));
        for bad in [
            "*",
            "\"7",
            "7\"",
            "\"\"7\"\"",
            "+7",
            "\"+7\"",
            "",
            "\"\"",
            "7, 8",
            "W/\"7\"",
            "99999999999999999999",
        ] {
            let refused = expected_version(&with("if-match", bad)).unwrap_err();
            assert_eq!(refused.code(), "if_match_invalid", "{bad}");
        }
        let mut two = with("if-match", "7");
        two.append("if-match", HeaderValue::from_static("7"));
        assert!(expected_version(&two).is_err(), "two headers");
    }

    #[test]
    fn only_a_trace_context_is_kept() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&with("traceparent", good)).as_deref(), Some(good));
        assert_eq!(traceparent(&with("traceparent", "Kari Nordmann")), None);
    }
}
