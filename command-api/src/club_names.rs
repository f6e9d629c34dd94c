//! One club for a name, in every spelling, held by claims in the log.

use anyhow::Context as _;
use axum::http::StatusCode;
use domain::Club;
use envelope::{Metadata, Position};
use event_store::{
    Append, AppendError, Appender, Claim, Claims, CommandHandler, IdempotencyKey, Release, TakenClaim,
};
use events::{ClubEvent, Event};
use futures_util::TryStreamExt as _;
use serde::Serialize;
use serde_json::json;
use service::problem::Problem;
use uuid::Uuid;

/// What kind of thing is claimed.
const SCOPE: &str = "club-name";
/// Under which keys the log remembers what was done once.
const ONCE: &str = "club-names";

/// A club that gets a name takes it, and gives back the one before.
pub(crate) fn claiming(command_handler: CommandHandler) -> CommandHandler {
    command_handler.claiming::<Club>(|club, club_id, events| taking(club.claimed_name(events), club_id))
}

fn taking(name: Option<String>, club_id: Uuid) -> Claims {
    name.map_or_else(Claims::default, |name| Claims {
        release: vec![Release::All(club_id)],
        take: vec![Claim::unique(SCOPE, name, club_id)],
        ..Claims::default()
    })
}

/// A club, as a refusal names it.
#[derive(Serialize)]
struct Named {
    club_id: Uuid,
    name: Option<String>,
}

/// 409: another club has the name. Names that club.
pub(crate) async fn refused(command_handler: &CommandHandler, taken: &[TakenClaim]) -> Problem {
    let owner = taken.iter().find_map(|claim| claim.owners.first().copied());
    let Some(club_id) = owner else {
        return exists();
    };
    // Without the name if the log can't be read.
    let club = command_handler.load::<Club>(club_id).await.ok();
    let name = club.and_then(|club| club.aggregate.name().map(str::to_owned));
    exists().member("club", json!(Named { club_id, name }))
}

/// 409: another club has the name.
pub(crate) fn exists() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "club_exists",
        "Det finnes allerede en klubb med dette navnet.",
        "There is a club of this name already.",
    )
}

/// Claims, once, the names of clubs that were registered before names were claimed.
pub(crate) async fn begin(command_handler: &CommandHandler, appender: &Appender) -> anyhow::Result<()> {
    let log = command_handler.log();
    if log.outcome(ONCE, "older-clubs").await?.is_some() {
        return Ok(());
    }
    let mut registered = std::pin::pin!(log.events_of_types(&["ClubRegistered"], Position::START));
    while let Some(recorded) = registered.try_next().await? {
        let club_id = recorded.aggregate_id;
        let given = Event::read(&recorded)?.into_iter().find_map(|event| match event {
            Event::Club(ClubEvent::ClubRegistered(club)) => Some(domain::club_identity(&club.name)),
            _ => None,
        });
        match once(appender, &club_id.to_string(), taking(given, club_id)).await {
            Ok(()) => {}
            Err(AppendError::ClaimTaken(_)) => {
                tracing::warn!(%club_id, "two older clubs have the same name: rename one of them");
            }
            Err(error) => return Err(error).context("the names of older clubs could not be claimed"),
        }
    }
    once(appender, "older-clubs", Claims::default()).await?;
    Ok(())
}

/// Takes claims under a key of this module. Done before, it changes nothing.
async fn once(appender: &Appender, key: &str, claims: Claims) -> Result<(), AppendError> {
    let append = Append {
        key: IdempotencyKey::new(ONCE, key, "claim"),
        response: "{}".into(),
        events: Vec::new(),
        claims,
        metadata: Metadata::default(),
    };
    appender.append(append).await.map(|_| ())
}
