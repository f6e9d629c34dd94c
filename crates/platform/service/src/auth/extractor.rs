//! The caller as an extractor: a handler that takes a [`Principal`] is closed to requests without a valid token.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::{Authenticator, Principal, token};
use crate::problem::Problem;

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        optional(&parts.headers, state)
            .await?
            .ok_or_else(Problem::unauthorized)
    }
}

/// `None` only for a request without an `Authorization` header; a token that is there has to be good.
impl<S> OptionalFromRequestParts<S> for Principal
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        optional(&parts.headers, state).await
    }
}

async fn optional<S>(headers: &HeaderMap, state: &S) -> Result<Option<Principal>, Problem>
where
    Authenticator: FromRef<S>,
{
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(token::TokenError::Malformed.into()),
    };
    let authenticator = Authenticator::from_ref(state);
    Ok(Some(authenticator.authenticate(value.as_bytes()).await?))
}
