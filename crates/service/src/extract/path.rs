//! Path parameters.

use axum::{
    extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::malformed::escape;
use crate::problem::Problem;

/// The parameters of the matched path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(refuse(&rejection)),
        }
    }
}

fn refuse(rejection: &PathRejection) -> Problem {
    let pointer = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => match failed.kind() {
            ErrorKind::ParseErrorAtKey { key, .. }
            | ErrorKind::InvalidUtf8InPathParam { key }
            | ErrorKind::DeserializeError { key, .. } => format!("/{}", escape(key)),
            ErrorKind::ParseErrorAtIndex { index, .. } => format!("/{index}"),
            ErrorKind::ParseError { .. } | ErrorKind::Message(_) => String::new(),
            // The rest are mistakes in the route or the handler's type, not the client's.
            _ => return Problem::internal(rejection),
        },
        _ => return Problem::internal(rejection),
    };
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_path",
        "Adressen er ikke gyldig.",
        "The address is not valid.",
    )
    .field(
        pointer,
        "invalid_value",
        "Verdien har feil format.",
        "The value has the wrong format.",
    )
}
