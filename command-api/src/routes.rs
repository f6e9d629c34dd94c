//! One file per operation.

pub(crate) mod create_license_type;
pub(crate) mod place_order;
pub(crate) mod register_club;
pub(crate) mod resolve_capture;
pub(crate) mod set_price;
pub(crate) mod vipps_webhook;
pub(crate) mod withdraw_price;

use axum::http::HeaderMap;
use chrono::{DateTime, SubsecRound as _, Utc};
use envelope::Metadata;
use service::auth::Principal;
use service::problem::Problem;
use service::request_id;

/// Who and what led to the events of a request.
pub(crate) fn metadata(principal: &Principal, headers: &HeaderMap) -> Metadata {
    let request_id = request_id::current();
    Metadata {
        correlation_id: request_id.clone(),
        request_id,
        causation_position: None,
        actor: Some(principal.user_id.to_string()),
        traceparent: traceparent(headers),
    }
}

/// The moment of a command, as precise as the log keeps time.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Refuses everyone but staff.
pub(crate) fn staff_only(principal: &Principal) -> Result<(), Problem> {
    if principal.is_staff() {
        Ok(())
    } else {
        Err(Problem::forbidden())
    }
}

/// The version that `If-Match` demands: `"7"`, `7` or nothing.
pub(crate) fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("if-match") else {
        return Ok(None);
    };
    let version = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().trim_matches('"').parse().ok());
    version.map(Some).ok_or_else(|| {
        Problem::new(
            axum::http::StatusCode::BAD_REQUEST,
            "if_match_invalid",
            "If-Match må være en versjon, for eksempel \"3\".",
            "If-Match must be a version, for example \"3\".",
        )
    })
}

/// W3C trace context, if it looks like one: it is kept, so nothing else gets in.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let shaped = value.len() == 55 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    shaped.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{expected_version, traceparent};

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn if_match_is_a_version() {
        assert_eq!(expected_version(&HeaderMap::new()).unwrap(), None);
        assert_eq!(expected_version(&with("if-match", "\"7\"")).unwrap(), Some(7));
        assert_eq!(
            expected_version(&with("if-match", "*")).unwrap_err().code(),
            "if_match_invalid"
        );
    }

    #[test]
    fn only_a_trace_context_is_kept() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&with("traceparent", good)).as_deref(), Some(good));
        assert_eq!(traceparent(&with("traceparent", "Kari Nordmann")), None);
    }
}
