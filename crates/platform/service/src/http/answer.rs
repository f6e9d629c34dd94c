//! Turns every error answer that is not a problem yet (a bare status, or the plain text of one of axum's own extractors)
//! into one, so that clients see a single shape and never a library's text.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Replaces plain-text and empty error answers, keeping their headers. Pages and JSON pass through.
pub(super) fn as_problem(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || has_own_body(&response) {
        return response;
    }
    let (mut old, _body) = response.into_parts();
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        old.headers.remove(name);
    }
    let mut problem = problem(status).into_response();
    problem.headers_mut().extend(old.headers);
    problem
}

fn has_own_body(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|content_type| !content_type.as_bytes().starts_with(b"text/plain"))
}

fn problem(status: StatusCode) -> Problem {
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(
            status = status.as_u16(),
            "a handler answered an error without a problem"
        );
    }
    Problem::from_status(status)
}
