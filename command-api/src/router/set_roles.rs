//! `POST /users/{user_id}/roles`: what a user may do, as an administrator says.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{Club, MAX_CLUBS, Refusal, Rule, User, UserCommand};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::UserRole;

use crate::answer::{refused, unreadable};
use crate::command::{Command, Plan, run};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::state::AppState;

/// All roles of the user from now on; those of the user's tokens do not count any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRoles {
    /// The roles.
    #[schema(min_items = 1)]
    roles: Vec<UserRole>,
    /// The clubs that an organizer acts for.
    #[serde(default)]
    #[schema(max_items = 50)]
    club_ids: Vec<Uuid>,
    /// Who says so: the caller.
    #[serde(skip)]
    by: Uuid,
}

/// A user.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UserPath {
    /// The user's id.
    pub(crate) user_id: Uuid,
}

/// The user's roles.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RolesOfUser {
    /// The user's id.
    user_id: Uuid,
    /// All roles.
    roles: Vec<UserRole>,
    /// The clubs that an organizer acts for.
    club_ids: Vec<Uuid>,
    /// The user's version.
    version: u64,
}

impl Operation for SetRoles {
    const NAME: &'static str = "set_roles";
    const SUMMARY: &'static str =
        "Says which roles a user has. It holds within a second, also for tokens that were issued before.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::OwnAdminRole];
    type Path = UserPath;
    type Answer = RolesOfUser;

    fn target(path: &UserPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.user_id.to_string()))
    }
}

impl Command for SetRoles {
    type Aggregate = User;

    fn plan(self, UserPath { user_id }: UserPath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let command = UserCommand::SetRoles {
            roles: self.roles,
            club_ids: self.club_ids,
            by: self.by,
            user_id,
        };
        Ok(Plan::new(user_id, command, move |user: &User, version| {
            let access = user.access();
            RolesOfUser {
                user_id,
                roles: access.map(|access| access.roles.clone()).unwrap_or_default(),
                club_ids: access.map(|access| access.club_ids.clone()).unwrap_or_default(),
                version,
            }
        }))
    }
}

pub(crate) async fn set_roles(
    State(state): State<AppState>,
    mut incoming: Incoming<SetRoles>,
) -> Result<Response, Problem> {
    incoming.request.by = incoming.principal.user_id;
    clubs_exist(&state, &incoming.request.club_ids).await?;
    run::<SetRoles>(State(state), incoming).await
}

/// 422 for a club that was never registered. More clubs than allowed are refused by the user.
async fn clubs_exist(state: &AppState, club_ids: &[Uuid]) -> Result<(), Problem> {
    for (index, club_id) in club_ids.iter().enumerate().take(MAX_CLUBS) {
        let club = state.command_handler.load::<Club>(*club_id).await;
        let club = club.map_err(|error| unreadable(&error))?;
        if club.aggregate.name().is_none() {
            return Err(refused(&Refusal::field(format!("/club_ids/{index}"), Rule::Club)));
        }
    }
    Ok(())
}
