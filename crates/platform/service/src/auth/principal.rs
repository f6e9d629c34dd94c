//! Who is asking, as an extractor: a handler that takes a [`Principal`] is closed to everyone without a valid token.

use std::collections::BTreeSet;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use uuid::Uuid;

use super::{Authenticator, token};
use crate::problem::Problem;

/// The authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Derived from issuer and subject: the same person has the same id in every token, at every instance.
    pub user_id: Uuid,
    /// Never empty.
    pub roles: BTreeSet<Role>,
    /// The clubs an organizer acts for; empty for everyone else.
    pub clubs: Vec<Uuid>,
}

/// What a person may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys licenses. What everyone is whose token names no other role.
    Customer,
    /// Runs activities for named clubs.
    Organizer,
    /// Works at the federation.
    Staff,
    /// Staff who also hands out roles and erases people.
    Admin,
}

impl Role {
    /// The role of that name in a token, `None` for one we don't know.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "customer" => Some(Self::Customer),
            "organizer" => Some(Self::Organizer),
            "staff" => Some(Self::Staff),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

impl Principal {
    /// Whether the caller has this very role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the caller may do what staff may: staff and admins.
    pub fn is_staff(&self) -> bool {
        self.has(Role::Staff) || self.has(Role::Admin)
    }

    /// Whether the caller acts for this club as its organizer.
    pub fn organizes(&self, club_id: Uuid) -> bool {
        self.has(Role::Organizer) && self.clubs.contains(&club_id)
    }
}

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
