//! Path parameters.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::malformed::escape;
use crate::problem::Problem;

/// The parameters of the matched path.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        if let Some(name) = misspelled_id(parts).await {
            return Err(malformed_path(&name));
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => match position(failed.kind()) {
                Some(Position::Named(name)) => Err(malformed_path(&name)),
                Some(Position::Index(index)) => Err(malformed_path(&nth_name(parts, index).await)),
                None => Err(Problem::internal(&failed)),
            },
            Err(rejection) => Err(Problem::internal(&rejection)),
        }
    }
}

/// Letters and hyphens of a UUID.
const UUID_LENGTH: usize = 36;

/// The first parameter that is an id by its name, and not spelled as one: the library reads four spellings of a UUID,
/// and here it has one.
async fn misspelled_id(parts: &mut Parts) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let misspelled = |(name, value): &(&str, &str)| name.ends_with("_id") && value.len() != UUID_LENGTH;
    parameters
        .iter()
        .find(misspelled)
        .map(|(name, _)| name.to_owned())
}

/// Which parameter is wrong.
enum Position {
    Named(String),
    Index(usize),
}

/// `None` for mistakes in the route or the handler's type, which are not the client's.
fn position(kind: &ErrorKind) -> Option<Position> {
    match kind {
        ErrorKind::ParseErrorAtKey { key, .. }
        | ErrorKind::InvalidUtf8InPathParam { key }
        | ErrorKind::DeserializeError { key, .. } => Some(Position::Named(key.clone())),
        ErrorKind::ParseErrorAtIndex { index, .. } => Some(Position::Index(*index)),
        ErrorKind::ParseError { .. } | ErrorKind::Message(_) => Some(Position::Index(0)),
        _ => None,
    }
}

async fn nth_name(parts: &mut Parts, index: usize) -> String {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    params
        .ok()
        .and_then(|params| params.iter().nth(index).map(|(name, _)| name.to_owned()))
        .unwrap_or_default()
}

/// The problem of a parameter of the path that has the wrong format.
pub fn malformed_path(name: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_path",
        "Adressen er ikke gyldig.",
        "The address is not valid.",
    )
    .field(
        format!("/{}", escape(name)),
        "invalid_value",
        "Verdien har feil format.",
        "The value has the wrong format.",
    )
}
