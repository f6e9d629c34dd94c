//! `POST /session/logout`
//!
//! Takes the cookie away, and tells the issuer. A session whose issuer does not answer is gone from this browser all the same.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::problem::Problem;

use crate::session::Sent;
use crate::{AppState, cookies, problems};

/// Where it is.
pub(crate) const LOGOUT: &str = "/session/logout";

pub(crate) async fn log_out(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    if !state.origin.sent(&headers) {
        return Err(problems::cross_site());
    }
    if let Sent::Opened(session) = Sent::with(&headers, &state.seal)
        && let Some(refresh_token) = session.refresh_token
    {
        state.provider.end(&refresh_token).await;
    }
    let cleared = cookies::cleared(cookies::SESSION);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cleared)]).into_response())
}
