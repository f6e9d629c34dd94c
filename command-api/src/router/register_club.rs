//! `POST /clubs`: a club that can organize activities.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::{Club, ClubCommand, Refusal};
use event_store::{CommandHandler, TakenClaim};
use serde::{Deserialize, Serialize};
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::ClubStatus;

use crate::club_names;
use crate::command::{Command, Plan};
use crate::operation::{NoPath, Operation};

/// A club to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterClub {
    /// Name, as people write it.
    #[schema(min_length = 1, max_length = 120, example = "NMK Testby")]
    name: String,
}

/// The club.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RegisteredClub {
    /// Its id.
    club_id: Uuid,
    /// Its name, in the form that is stored.
    #[schema(value_type = String)]
    name: Option<String>,
    /// Whether it organizes activities.
    status: ClubStatus,
    /// Its version.
    version: u64,
}

impl RegisteredClub {
    pub(super) fn of(club_id: Uuid, club: &Club, version: u64) -> Self {
        Self {
            club_id,
            name: club.name().map(str::to_owned),
            status: club.status(),
            version,
        }
    }
}

impl Operation for RegisterClub {
    const NAME: &'static str = "register_club";
    const SUMMARY: &'static str = "Registers a club.";
    const SUCCESS: StatusCode = StatusCode::CREATED;
    const CREATES: bool = true;
    const REFUSALS: &'static [Refusal] = &[Refusal::Invalid(Vec::new()), Refusal::Exists];
    type Path = NoPath;
    type Answer = RegisteredClub;

    fn problems() -> Vec<Problem> {
        vec![club_names::exists()]
    }

    fn target(_: &NoPath) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

impl Command for RegisterClub {
    type Aggregate = Club;

    fn plan(self, _: NoPath, _: DateTime<Utc>) -> Result<Plan<Self>, Problem> {
        let club_id = Uuid::now_v7();
        let command = ClubCommand::Register { name: self.name };
        Ok(Plan::new(club_id, command, move |club: &Club, version| {
            RegisteredClub::of(club_id, club, version)
        }))
    }

    async fn taken(command_handler: &CommandHandler, taken: &[TakenClaim]) -> Problem {
        club_names::refused(command_handler, taken).await
    }
}
