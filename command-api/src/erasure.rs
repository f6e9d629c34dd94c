//! Forgetting people: what is recorded at once, and what a task does afterwards.
//!
//! One command records the erasure and an event in every aggregate that shows the person, so that rows are scrubbed live and
//! in every replay. The task writes the erasure down outside the database, and then destroys the keys. At start the ledger is
//! carried out again: a log that was restored from a backup forgets again what was forgotten.

mod ledger;
mod older;

use std::collections::HashSet;
use std::sync::Arc;

use chrono::Utc;
use domain::{
    EraseHolder, HolderKey, Letters, LettersCommand, License, LicenseCommand, Order, OrderCommand, Person,
    PersonCommand, Refusal, Suspension, SuspensionCommand, User, UserCommand,
};
use envelope::{EventPayload as _, Metadata, RecordedEvent};
use event_store::vault::{Held, HeldKeys};
use event_store::{CommandError, CommandHandler, CommandResponse, IdempotencyKey, Log, Unit};
use events::{ErasedIn, ErasureGround, PersonErased, PersonEvent, aggregate_type};
use metrics::counter;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::metrics::{ERASURES_TOTAL, KEYS_DESTROYED_TOTAL};

pub(crate) use self::ledger::{Entry, Ledger};
pub(crate) use self::older::note_older_holders;

/// Most aggregates of one erasure: they are loaded and recorded together.
const MOST_AGGREGATES: usize = 1_000;

/// Whom to forget, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Erasure {
    pub(crate) id: Uuid,
    /// A holder's id or a user's.
    pub(crate) person: Uuid,
    pub(crate) ground: ErasureGround,
    /// Whether the person exists without any data: a user does.
    pub(crate) is_user: bool,
    /// It was decided in a log that was lost, so nothing refuses it.
    pub(crate) decided_before: bool,
}

/// Why an erasure could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    #[error("log: {0}")]
    Log(#[from] event_store::Error),
    #[error("the log holds an erasure that can't be read: {0}")]
    Decode(#[from] envelope::DecodeError),
    #[error("the ledger of erasures: {0}")]
    Ledger(#[from] std::io::Error),
    #[error("command: {0}")]
    Command(#[from] CommandError<Refusal>),
}

/// Records an erasure, with what it changes in every aggregate that shows the person: all of it, or nothing.
pub(crate) async fn record(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    erasure: Erasure,
    (key, metadata): (IdempotencyKey, Metadata),
) -> Result<CommandResponse, CommandError<Refusal>> {
    let work = |unit| {
        forget(
            command_handler.log().clone(),
            unit,
            Arc::clone(holder_key),
            erasure,
        )
    };
    command_handler.together(key, metadata, work).await
}

async fn forget(
    log: Log,
    unit: Unit,
    holder_key: Arc<HolderKey>,
    erasure: Erasure,
) -> Result<Value, CommandError<Refusal>> {
    let most = u32::try_from(MOST_AGGREGATES + 1).unwrap_or(u32::MAX);
    // In each attempt: what was recorded meanwhile belongs to it.
    let held = log.held_of(erasure.person, most).await?;
    if held.len() > MOST_AGGREGATES {
        return Err(CommandError::Refused(Refusal::ErasureTooLarge));
    }
    let asked = EraseHolder {
        holder_id: erasure.person,
        holder_key,
        today: domain::today(Utc::now()),
        decided_before: erasure.decided_before,
    };
    for Held {
        aggregate_type,
        aggregate_id,
    } in &held
    {
        forget_in(&unit, aggregate_type, *aggregate_id, &asked).await?;
    }
    let mut person = unit.load::<Person>(erasure.person).await?;
    if held.is_empty() && person.version == 0 && !erasure.is_user && !erasure.decided_before {
        return Err(CommandError::Refused(Refusal::Unknown));
    }
    let count = held.len();
    let aggregates = held.into_iter().map(|held| ErasedIn {
        aggregate_type: held.aggregate_type,
        aggregate_id: held.aggregate_id,
    });
    let command = PersonCommand::Erase {
        erasure_id: erasure.id,
        ground: erasure.ground,
        aggregates: aggregates.collect(),
    };
    unit.handle(&mut person, command).await?;
    Ok(json!({"person_id": erasure.person, "erasure_id": erasure.id, "aggregates": count}))
}

/// The event in one aggregate. An aggregate that shows no person needs none: its keys go, and that is all.
async fn forget_in(
    unit: &Unit,
    kind: &str,
    id: Uuid,
    asked: &EraseHolder,
) -> Result<(), CommandError<Refusal>> {
    match kind {
        aggregate_type::ORDER => {
            let mut order = unit.load::<Order>(id).await?;
            let command = OrderCommand::EraseHolder(Box::new(asked.clone()));
            unit.handle(&mut order, command).await
        }
        aggregate_type::LICENSE => {
            let mut license = unit.load::<License>(id).await?;
            let command = LicenseCommand::EraseHolder(Box::new(asked.clone()));
            unit.handle(&mut license, command).await
        }
        aggregate_type::SUSPENSION => {
            let mut suspension = unit.load::<Suspension>(id).await?;
            let person_id = asked.holder_id;
            unit.handle(&mut suspension, SuspensionCommand::ErasePerson { person_id })
                .await
        }
        aggregate_type::LETTERS => {
            let mut letters = unit.load::<Letters>(id).await?;
            let person_id = asked.holder_id;
            unit.handle(&mut letters, LettersCommand::ErasePerson { person_id })
                .await
        }
        aggregate_type::USER => {
            let mut user = unit.load::<User>(id).await?;
            unit.handle(&mut user, UserCommand::Erase).await
        }
        _ => Ok(()),
    }
}

/// Destroys the keys of every erasure that the log holds of this person. The ledger comes first: after it, a restored log
/// can't bring back what was forgotten. Done again, it changes nothing.
pub(crate) async fn carry_out(log: &Log, ledger: Option<&Ledger>, person: Uuid) -> Result<u64, EraseError> {
    let mut destroyed = 0;
    for recorded in log.load(aggregate_type::PERSON, person, 0).await? {
        for erased in erasures(&recorded)? {
            if let Some(ledger) = ledger {
                ledger.write_down(Entry::of(&recorded, &erased)).await?;
            }
            let aggregates = erased.aggregates.iter().map(|held| held.aggregate_id);
            let keys = HeldKeys {
                person,
                aggregates: aggregates.collect(),
                through: recorded.position,
            };
            let count = log.destroy_keys(&keys).await?;
            if count > 0 {
                counter!(ERASURES_TOTAL).increment(1);
                counter!(KEYS_DESTROYED_TOTAL).increment(count);
                tracing::info!(erasure_id = %erased.erasure_id, keys = count, "personal data is forgotten");
            }
            destroyed += count;
        }
    }
    Ok(destroyed)
}

/// Records the erasure again if an aggregate that it does not name got data of the person between its look and its commit,
/// as a letter does that is under way: a new aggregate conflicts with nothing. What began after the erasure is of a person
/// who came back, and stays.
pub(crate) async fn complete(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    person: Uuid,
    metadata: Metadata,
) -> Result<(), EraseError> {
    let log = command_handler.log();
    let (mut named, mut last) = (HashSet::new(), None);
    for recorded in log.load(aggregate_type::PERSON, person, 0).await? {
        for erased in erasures(&recorded)? {
            named.extend(erased.aggregates.iter().map(|held| held.aggregate_id));
            last = Some((recorded.position, erased.erasure_id, erased.ground));
        }
    }
    let Some((position, id, ground)) = last else {
        return Ok(());
    };
    let most = u32::try_from(MOST_AGGREGATES).unwrap_or(u32::MAX);
    let mut missed = false;
    for held in log.held_of(person, most).await? {
        if !named.contains(&held.aggregate_id) {
            let events = log.load(&held.aggregate_type, held.aggregate_id, 0).await?;
            missed |= events.first().is_some_and(|first| first.position < position);
        }
    }
    if missed {
        again(command_handler, holder_key, (person, id, ground), metadata).await?;
    }
    Ok(())
}

/// Records the last erasure of a person again if this aggregate, which is about something older, got data of the person after it.
pub(crate) async fn complete_in(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    (person, aggregate_id): (Uuid, Uuid),
    metadata: Metadata,
) -> Result<(), EraseError> {
    let log = command_handler.log();
    let recorded = log.load(aggregate_type::PERSON, person, 0).await?;
    let Some(last) = recorded
        .last()
        .map(erasures)
        .transpose()?
        .and_then(|all| all.into_iter().last())
    else {
        return Ok(());
    };
    let most = u32::try_from(MOST_AGGREGATES).unwrap_or(u32::MAX);
    let held = log.held_of(person, most).await?;
    if held.iter().any(|held| held.aggregate_id == aggregate_id) {
        let last = (person, last.erasure_id, last.ground);
        again(command_handler, holder_key, last, metadata).await?;
    }
    Ok(())
}

async fn again(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    (person, id, ground): (Uuid, Uuid, ErasureGround),
    metadata: Metadata,
) -> Result<(), EraseError> {
    let erasure = Erasure {
        id: Uuid::new_v5(&id, b"again"),
        person,
        ground,
        is_user: false,
        decided_before: true,
    };
    let key = IdempotencyKey::new("erasure", erasure.id.to_string(), "again");
    record(command_handler, holder_key, erasure, (key, metadata)).await?;
    tracing::warn!(erasure_id = %erasure.id, "an erasure is recorded again: data came between its look and its commit");
    Ok(())
}

fn erasures(recorded: &RecordedEvent) -> Result<Vec<PersonErased>, envelope::DecodeError> {
    let (name, version) = (&recorded.event_type, &recorded.event_version);
    let read = PersonEvent::read(name, version, recorded.payload.get())?;
    Ok(read
        .into_iter()
        .map(|PersonEvent::PersonErased(erased)| erased)
        .collect())
}

/// Carries out the whole ledger: before anything is served, and by `command-api erasures apply`. Returns how many erasures
/// the log did not hold, and how many keys were destroyed.
pub(crate) async fn carry_out_ledger(
    command_handler: &CommandHandler,
    holder_key: &Arc<HolderKey>,
    ledger: &Ledger,
) -> Result<(u64, u64), EraseError> {
    let (mut again, mut destroyed) = (0, 0);
    for entry in ledger.read().await? {
        let person = command_handler.load::<Person>(entry.person_id).await?;
        if !person.aggregate.has(entry.erasure_id) {
            let erasure = Erasure {
                id: entry.erasure_id,
                person: entry.person_id,
                ground: entry.ground,
                is_user: false,
                decided_before: true,
            };
            let key = IdempotencyKey::new("erasure", entry.erasure_id.to_string(), "from the ledger");
            let metadata = Metadata {
                actor: Some("process:erasures".into()),
                ..Metadata::default()
            };
            record(command_handler, holder_key, erasure, (key, metadata)).await?;
            tracing::warn!(erasure_id = %entry.erasure_id, "an erasure that the log has lost is recorded again");
            again += 1;
        }
        destroyed += carry_out(command_handler.log(), None, entry.person_id).await?;
    }
    Ok((again, destroyed))
}
