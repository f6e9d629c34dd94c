//! No license for a suspended person or vehicle.
//!
//! A suspension holds a claim on each of its subjects for ever, also after its end: so the owners of a subject's claim only
//! become more, and their number says which suspensions a command has seen. Ordering looks; issuing looks, and relies on
//! what it saw by a guard, so a suspension that is recorded in between makes it look again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::Suspension;
use event_store::{Claim, Claims, CommandHandler, Error, Guard, TakenClaim};
use events::SuspensionEvent;
use futures_util::future::try_join_all;
use uuid::Uuid;

/// What kind of thing is claimed: the key is the id of a person or a vehicle, the owner a suspension.
const SCOPE: &str = "suspended";
/// The most suspensions that one person or vehicle can ever have.
const MOST: u32 = 10_000;

/// Which of the asked people and vehicles are suspended, and what that answer relies on.
pub(crate) struct Seen {
    pub(crate) suspended: BTreeSet<Uuid>,
    pub(crate) guards: Vec<Guard>,
}

/// A suspension takes a claim on each of its subjects when it is imposed.
pub(crate) fn claiming(command_handler: CommandHandler) -> CommandHandler {
    command_handler.claiming::<Suspension>(|suspension, suspension_id, events| {
        let imposed = |event: &SuspensionEvent| matches!(event, SuspensionEvent::SuspensionImposed(_));
        if !events.iter().any(imposed) {
            return Claims::default();
        }
        let claim = |subject: &Uuid| Claim::counted(SCOPE, subject.to_string(), suspension_id, MOST);
        Claims {
            take: suspension.subjects().iter().map(claim).collect(),
            ..Claims::default()
        }
    })
}

/// Looks for suspensions in force at `now`.
pub(crate) async fn look(
    command_handler: &CommandHandler,
    subjects: &BTreeSet<Uuid>,
    now: DateTime<Utc>,
) -> Result<Seen, Error> {
    let keys: Vec<String> = subjects.iter().map(Uuid::to_string).collect();
    let owners = command_handler.log().claim_owners(SCOPE, &keys).await?;
    let known: BTreeSet<Uuid> = owners.values().flatten().copied().collect();
    let suspensions = known.into_iter().map(async |suspension_id| {
        let loaded = command_handler.load::<Suspension>(suspension_id).await?;
        Ok::<_, Error>(loaded.aggregate)
    });
    let in_force: Vec<Suspension> = try_join_all(suspensions)
        .await?
        .into_iter()
        .filter(|suspension| suspension.in_force(now))
        .collect();
    let named = in_force.iter().flat_map(Suspension::subjects);
    let guards = keys.into_iter().map(|key| Guard {
        scope: SCOPE.to_owned(),
        at_most: owners
            .get(&key)
            .map_or(0, |owners| u32::try_from(owners.len()).unwrap_or(u32::MAX)),
        key,
    });
    Ok(Seen {
        suspended: named.filter(|id| subjects.contains(id)).copied().collect(),
        guards: guards.collect(),
    })
}

/// Whether a command was refused only because a suspension was imposed after it looked.
pub(crate) fn outdated(taken: &[TakenClaim]) -> bool {
    taken.iter().all(|claim| claim.scope == SCOPE)
}
