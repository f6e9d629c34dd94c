//! `POST /users/{user_id}/revoke-sessions`: every token that a user has ends, by the user or an administrator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::{Refusal, User, UserCommand};
use serde::Deserialize;
use service::problem::Problem;
use utoipa::ToSchema;

use crate::command::{Command, Plan, run};
use crate::incoming::Incoming;
use crate::operation::Operation;
use crate::router::change_contact::ChangedUser;
use crate::router::set_roles::UserPath;
use crate::state::AppState;

/// Nothing more needs to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeSessions {}

impl Operation for RevokeSessions {
    const NAME: &'static str = "revoke_sessions";
    const SUMMARY: &'static str =
        "Ends all sessions of a user: tokens that were issued until now are refused within a second.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[];
    const BODY_MAY_BE_EMPTY: bool = true;
    type Path = UserPath;
    type Answer = ChangedUser;

    fn target(path: &UserPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.user_id.to_string()))
    }
}

impl Command for RevokeSessions {
    type Aggregate = User;

    fn plan(self, UserPath { user_id }: UserPath, now: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let command = UserCommand::RevokeSessions { now };
        Ok(Plan::new(user_id, command, move |_, version| ChangedUser {
            user_id,
            version,
        }))
    }
}

pub(crate) async fn revoke_sessions(
    state: State<AppState>,
    incoming: Incoming<RevokeSessions>,
) -> Result<Response, Problem> {
    incoming.caller.may_of_owner(incoming.path.user_id)?;
    run::<RevokeSessions>(state, incoming).await
}
