//! `POST /session/refresh`
//!
//! Gets new tokens for a session. A page asks for it when an API answers 401, one page of a browser at a time: a refresh
//! token is good once, and the issuer ends a session whose token comes twice.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::problem::Problem;

use crate::metrics::{self, REFRESHES};
use crate::provider::Refusal;
use crate::session::{Sent, Session};
use crate::{AppState, cookies, problems};

/// Where it is.
pub(crate) const REFRESH: &str = "/session/refresh";

pub(crate) async fn refresh(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    if !state.origin.sent(&headers) {
        metrics::count(REFRESHES, "cross_site");
        return Err(problems::cross_site());
    }
    let Sent::Opened(session) = Sent::with(&headers, &state.seal) else {
        return Err(ended());
    };
    let refreshed = refreshed(&state, *session).await?;
    let cookie = refreshed.cookie(&state.seal)?;
    metrics::count(REFRESHES, "refreshed");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// The session with its next tokens.
async fn refreshed(state: &AppState, session: Session) -> Result<Session, Problem> {
    let refresh_token = session.refresh_token.ok_or_else(ended)?;
    let tokens = state.provider.refresh(&refresh_token).await;
    let tokens = tokens.map_err(|refusal| match refusal {
        Refusal::Refused => ended(),
        Refusal::Unavailable => unavailable(),
    })?;
    let next = Session::of(tokens, &state.authenticator).await;
    let next = next.map_err(|problem| {
        tracing::warn!(code = problem.code(), "the issuer's token is refused");
        if problem.status().is_server_error() {
            unavailable()
        } else {
            ended()
        }
    })?;
    if next.user_id != session.user_id {
        tracing::warn!("the issuer's answer is of another person");
        return Err(ended());
    }
    Ok(Session {
        name: session.name,
        // An issuer that hands out none lets the old one count on.
        refresh_token: next.refresh_token.or(Some(refresh_token)),
        ..next
    })
}

/// 401, and the cookie goes.
fn ended() -> Problem {
    metrics::count(REFRESHES, "ended");
    let cleared = cookies::cleared(cookies::SESSION);
    problems::session_ended().header(header::SET_COOKIE, cleared)
}

/// 503, and the cookie stays: the same refresh may succeed later.
fn unavailable() -> Problem {
    metrics::count(REFRESHES, "unavailable");
    problems::login_unavailable()
}
