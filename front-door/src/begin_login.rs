//! `GET /session/login`
//!
//! Sends the person to the issuer. What the login is known by when the person comes back travels in a cookie.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use service::extract::Query;
use service::problem::Problem;

use crate::AppState;
use crate::attempt::{Attempt, Language};
use crate::failure::Failure;
use crate::metrics::{self, LOGINS};

/// Where it is.
pub(crate) const LOGIN: &str = "/session/login";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginQuery {
    /// Where the person goes afterwards.
    return_to: Option<String>,
    /// The language of the pages.
    lang: Option<String>,
}

pub(crate) async fn begin_login(
    State(state): State<AppState>,
    Query(query): Query<LoginQuery>,
) -> Result<Response, Problem> {
    let language = Language::named(query.lang.as_deref().unwrap_or_default());
    let wanted = query.return_to.as_deref();
    let return_to = wanted.and_then(|path| state.origin.local_path(path));
    let attempt = Attempt::new(return_to.unwrap_or("/"), language)
        .ok_or_else(|| Problem::from_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let Some(address) = state.provider.authorize_url(&attempt) else {
        let failure = Failure::Unavailable;
        metrics::count(LOGINS, failure.code());
        let page = failure.page(&state.origin, language, &attempt.return_to);
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response());
    };
    let cookie = attempt.cookie(&state.seal)?;
    metrics::count(LOGINS, "begun");
    let mut response = (StatusCode::FOUND, [(header::LOCATION, address)]).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
