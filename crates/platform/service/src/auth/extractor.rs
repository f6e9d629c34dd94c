//! The caller as an extractor: a handler that takes a [`Principal`] refuses every request without a valid token.

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use super::authenticator::Authenticator;
use super::principal::Principal;
use crate::problem::Problem;

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        optional(parts, state).await?.ok_or_else(Problem::unauthorized)
    }
}

/// `None` only for a request without an `Authorization` header; a token that is given must be valid.
impl<S> OptionalFromRequestParts<S> for Principal
where
    S: Send + Sync,
    Authenticator: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        optional(parts, state).await
    }
}

async fn optional<S>(parts: &Parts, state: &S) -> Result<Option<Principal>, Problem>
where
    Authenticator: FromRef<S>,
{
    // Whom the policy table has let in already.
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(Some(principal.clone()));
    }
    Authenticator::from_ref(state).of_headers(&parts.headers).await
}
