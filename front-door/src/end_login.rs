//! `GET /session/callback`
//!
//! The issuer sends the person back with a code, or with an error. The code becomes tokens, and these a session.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use service::extract::Query;
use service::problem::Problem;

use crate::attempt::{Attempt, Language};
use crate::failure::Failure;
use crate::metrics::{self, LOGINS};
use crate::provider::Refusal;
use crate::session::Session;
use crate::{AppState, cookies};

/// What issuers add besides is ignored.
#[derive(Deserialize)]
pub(crate) struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

pub(crate) async fn end_login(
    State(state): State<AppState>,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, Problem>,
) -> Response {
    let Some(attempt) = Attempt::of(&headers, &state.seal) else {
        return leave(&state, Failure::Expired, None);
    };
    let Some(code) = answer_to(&attempt, query, state.provider.issuer()) else {
        // The login that is under way goes on: the answer may be another page's.
        return leave(&state, Failure::Refused, Some(&attempt));
    };
    let session = match code {
        Ok(code) => log_in(&state, &attempt, &code).await,
        Err(failure) => Err(failure),
    };
    let mut response = match session {
        Ok(cookie) => {
            metrics::count(LOGINS, "completed");
            let mut response = see_other(&attempt.return_to);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Err(failure) => leave(&state, failure, Some(&attempt)),
    };
    if let Ok(cleared) = HeaderValue::from_str(&cookies::cleared(cookies::LOGIN)) {
        response.headers_mut().append(header::SET_COOKIE, cleared);
    }
    response
}

/// The code, or why there is none; nothing if this is no answer to the attempt.
fn answer_to(
    attempt: &Attempt,
    query: Result<Query<CallbackQuery>, Problem>,
    issuer: &str,
) -> Option<Result<String, Failure>> {
    let Query(query) = query.ok()?;
    if !attempt.has_state(&query.state?) || query.iss.is_some_and(|named| named != issuer) {
        return None;
    }
    Some(match (query.error.as_deref(), query.code) {
        (Some("access_denied"), _) => Err(Failure::Cancelled),
        (Some("server_error" | "temporarily_unavailable"), _) => Err(Failure::Unavailable),
        (None, Some(code)) => Ok(code),
        (Some(_), _) | (None, None) => Err(Failure::Refused),
    })
}

/// The cookie of the session that the code is for.
async fn log_in(state: &AppState, attempt: &Attempt, code: &str) -> Result<HeaderValue, Failure> {
    let mut tokens = state.provider.exchange(attempt, code).await?;
    let id_token = tokens.id_token.take().ok_or(Failure::Refused)?;
    let identity = state
        .authenticator
        .identity(&id_token, state.provider.client_id());
    let identity = identity.await.map_err(|problem| of_token(&problem))?;
    let session = Session::of(tokens, &state.authenticator).await;
    let mut session = session.map_err(|problem| of_token(&problem))?;
    // The proof is of this login, and the tokens are of the same person.
    if identity.nonce != attempt.nonce || identity.user_id != session.user_id {
        tracing::warn!("the issuer's answer is of another login");
        return Err(Failure::Refused);
    }
    session.name = identity.name.map(Session::short);
    session.cookie(&state.seal).map_err(|_| Failure::TooLarge)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused => Self::Refused,
            Refusal::Unavailable => Self::Unavailable,
        }
    }
}

/// Why the login failed whose token is refused.
fn of_token(problem: &Problem) -> Failure {
    tracing::warn!(code = problem.code(), "the issuer's token is refused");
    if problem.status().is_server_error() {
        Failure::Unavailable
    } else {
        Failure::Refused
    }
}

/// To the page that tells the failure.
fn leave(state: &AppState, failure: Failure, attempt: Option<&Attempt>) -> Response {
    metrics::count(LOGINS, failure.code());
    let language = attempt.map_or(Language::Nb, |attempt| attempt.language);
    let return_to = attempt.map_or("/", |attempt| &attempt.return_to);
    see_other(&failure.page(&state.origin, language, return_to))
}

fn see_other(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}
