//! `GET /session/me`

use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service::auth::Account;
use service::extract::Json;
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::session::Sent;
use crate::{AppState, problems};

/// Where it is.
pub(crate) const ME: &str = "/session/me";

/// Who is logged in, by the token's own words. What the shop says of a user is at `GET /api/v1/users/me`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person's id, as in the APIs.
    user_id: Uuid,
    /// The name, if the issuer tells it.
    name: Option<String>,
    /// Roles in the token.
    #[schema(value_type = Vec<String>, example = json!(["customer"]))]
    roles: Vec<&'static str>,
    /// Clubs that an organizer acts for.
    clubs: Vec<Uuid>,
    /// When the session needs a refresh.
    expires_at: DateTime<Utc>,
}

pub(crate) async fn get_me(State(state): State<AppState>, headers: HeaderMap) -> Result<Json<Me>, Problem> {
    let Sent::Opened(session) = Sent::with(&headers, &state.seal) else {
        return Err(problems::login_required());
    };
    if session.has_expired() {
        return Err(problems::session_expired());
    }
    let verified = state.authenticator.session_of(&session.access_token).await?;
    let principal = verified.under(Account::default())?;
    Ok(Json(Me {
        user_id: principal.user_id,
        name: session.name,
        roles: principal.roles.iter().map(|role| role.name()).collect(),
        clubs: principal.clubs,
        expires_at: DateTime::from_timestamp(session.expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC),
    }))
}
