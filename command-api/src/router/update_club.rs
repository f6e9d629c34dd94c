//! `PATCH /clubs/{club_id}`: another name, or whether the club organizes activities.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{Club, ClubCommand, Refusal};
use event_store::{CommandHandler, TakenClaim};
use serde::Deserialize;
use service::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vocabulary::ClubStatus;

use super::register_club::RegisteredClub;
use crate::club_names;
use crate::command::{Command, Plan};
use crate::operation::{Method, Operation};

/// What changes; what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateClub {
    /// Name, as people write it. Orders placed before keep the old one.
    #[schema(min_length = 1, max_length = 120, example = "NMK Testby")]
    name: Option<String>,
    /// Whether the club organizes activities. An inactive club can't be ordered for.
    status: Option<ClubStatus>,
}

/// A club.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ClubPath {
    /// The club's id.
    club_id: Uuid,
}

impl Operation for UpdateClub {
    const NAME: &'static str = "update_club";
    const METHOD: Method = Method::Patch;
    const SUMMARY: &'static str = "Renames a club, or changes whether it organizes activities.";
    const SUCCESS: StatusCode = StatusCode::OK;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Unknown];
    type Path = ClubPath;
    type Answer = RegisteredClub;

    fn problems() -> Vec<Problem> {
        vec![club_names::exists()]
    }

    fn target(path: &ClubPath) -> Result<Option<String>, Problem> {
        Ok(Some(path.club_id.to_string()))
    }
}

impl Command for UpdateClub {
    type Aggregate = Club;

    fn plan(self, ClubPath { club_id }: ClubPath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let Self { name, status } = self;
        let command = ClubCommand::Change { name, status };
        Ok(Plan::new(club_id, command, move |club: &Club, version| {
            RegisteredClub::of(club_id, club, version)
        }))
    }

    async fn taken(command_handler: &CommandHandler, taken: &[TakenClaim]) -> Problem {
        club_names::refused(command_handler, taken).await
    }
}
