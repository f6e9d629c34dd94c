//! `GET /session/check`
//!
//! The edge asks it about each request for an API, before it passes the request on: whose token goes with it? It waits for
//! nothing and looks nothing up.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::problem::Problem;

use crate::metrics::{self, CHECKS};
use crate::session::Sent;
use crate::{AppState, problems};

/// Where it is. The edge must not pass on requests of browsers to this address: the answer holds a token.
pub(crate) const CHECK: &str = "/session/check";
/// The method of the request that is asked about.
const METHOD: HeaderName = HeaderName::from_static("x-original-method");
/// What goes to the API as `Authorization`; empty for a request without a login.
pub(crate) const BEARER: HeaderName = HeaderName::from_static("x-bearer");

/// A refusal with its outcome in metrics.
type Refused = (&'static str, Problem);

pub(crate) async fn check(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let (outcome, response) = match judge(&state, &headers) {
        Ok((outcome, bearer)) => {
            let answer = (StatusCode::NO_CONTENT, [(BEARER, bearer)]);
            (outcome, answer.into_response())
        }
        Err((outcome, problem)) => (outcome, problem.into_response()),
    };
    metrics::count(CHECKS, outcome);
    response
}

fn judge(state: &AppState, headers: &HeaderMap) -> Result<(&'static str, HeaderValue), Refused> {
    if let Some(own) = own_bearer(headers)? {
        return Ok(("own_bearer", own));
    }
    let sent = Sent::with(headers, &state.seal);
    if matches!(sent, Sent::None) {
        return Ok(("anonymous", HeaderValue::from_static("")));
    }
    // Before the cookie counts for anything. Browsers send cookies along with other sites' requests.
    if !is_safe(headers) && !state.origin.sent(headers) {
        return Err(("cross_site", problems::cross_site()));
    }
    let Sent::Opened(session) = sent else {
        return Err(("invalid", problems::login_required()));
    };
    if session.has_expired() {
        return Err(("expired", problems::session_expired()));
    }
    let bearer = HeaderValue::from_str(&format!("Bearer {}", session.access_token));
    let mut bearer = bearer.map_err(|_| ("invalid", problems::login_required()))?;
    bearer.set_sensitive(true);
    Ok(("session", bearer))
}

/// The caller's own `Authorization`, which goes before a cookie. The API judges it.
fn own_bearer(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refused> {
    let given = headers.get_all(header::AUTHORIZATION).iter();
    let mut given = given.filter(|value| !value.is_empty());
    match (given.next(), given.next()) {
        (own, None) => Ok(own.cloned()),
        (_, Some(_)) => Err(("invalid", problems::ambiguous_authorization())),
    }
}

/// Whether the request changes nothing. One whose method is not known may change something.
fn is_safe(headers: &HeaderMap) -> bool {
    let mut methods = headers.get_all(METHOD).iter();
    let only = methods.next().filter(|_| methods.next().is_none());
    only.is_some_and(|method| matches!(method.as_bytes(), b"GET" | b"HEAD" | b"OPTIONS"))
}
