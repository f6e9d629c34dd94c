//! One command over several aggregates: its events, claims and outcome are recorded together, or not at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use envelope::{EventPayload, Metadata};
use uuid::Uuid;

use crate::append::{Append, IdempotencyKey, NewEvent, Past};
use crate::claims::{Claims, Guard};
use crate::command_handler::{CommandHandler, CommandResponse, new_events};
use crate::error::{AppendError, CommandError, Error};
use crate::retries::Retries;

/// One attempt at a command over several aggregates: loads them and collects their events and claims.
#[derive(Clone)]
pub struct Unit {
    command_handler: CommandHandler,
    decided: Arc<Mutex<Decided>>,
}

#[derive(Default)]
struct Decided {
    events: Vec<NewEvent>,
    claims: Claims,
    /// Version of each aggregate after its events here. `None` if a refusal left it half changed.
    versions: HashMap<(&'static str, Uuid), Option<u64>>,
}

/// An aggregate in a unit.
#[derive(Debug)]
pub struct Member<A> {
    id: Uuid,
    /// Its state, with the events that this unit decided.
    pub aggregate: A,
    /// Its version, with the events that this unit decided.
    pub version: u64,
    /// The conversation that its first event began or belongs to.
    pub correlation_id: Option<String>,
}

impl<A: Default> Member<A> {
    /// An aggregate without events.
    pub fn new(id: Uuid) -> Self {
        Self {
            id,
            aggregate: A::default(),
            version: 0,
            correlation_id: None,
        }
    }
}

impl<A> Member<A> {
    /// The aggregate's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }
}

impl CommandHandler {
    /// Runs one command over several aggregates. `work` loads them, hands them commands, and returns the answer's body, an
    /// object; `position` is added to it. When an aggregate has changed since its load, `work` runs again, a bounded number
    /// of times. No snapshots are taken.
    pub async fn together<E, Work>(
        &self,
        key: IdempotencyKey,
        metadata: Metadata,
        work: impl Fn(Unit) -> Work,
    ) -> Result<CommandResponse, CommandError<E>>
    where
        Work: Future<Output = Result<serde_json::Value, CommandError<E>>> + Send,
    {
        let mut retries = Retries::default();
        loop {
            let unit = Unit {
                command_handler: self.clone(),
                decided: Arc::default(),
            };
            let response = match work(unit.clone()).await {
                Ok(response) => response,
                Err(refusal @ (CommandError::Refused(_) | CommandError::Version(_))) => {
                    return self.answered_or(&key, refusal).await;
                }
                Err(error) => return Err(error),
            };
            let decided = std::mem::take(&mut *unit.decided());
            let response = response.to_string();
            if self.writes_nothing(&decided.events, &decided.claims) {
                return Ok(self.unkept(&response, None).await?);
            }
            let append = Append {
                key: key.clone(),
                response,
                events: decided.events,
                claims: decided.claims,
                metadata: metadata.clone(),
            };
            match self.append(append).await {
                Ok(appended) => {
                    return Ok(CommandResponse::render(
                        &appended.response,
                        appended.position,
                        appended.replayed,
                    ));
                }
                Err(AppendError::Conflict(conflict)) => retries.after(conflict).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl CommandHandler {
    /// What `work` decides, as a part of a history that is to be imported. Nothing is recorded; and none is returned if it
    /// decides nothing. Members may be kept from one part to the next, so that nothing has to be loaded.
    pub async fn decide_past<E, Work>(
        &self,
        at: DateTime<Utc>,
        metadata: Metadata,
        work: impl FnOnce(Unit) -> Work,
    ) -> Result<Option<Past>, CommandError<E>>
    where
        Work: Future<Output = Result<(), CommandError<E>>>,
    {
        let unit = Unit {
            command_handler: self.clone(),
            decided: Arc::default(),
        };
        work(unit.clone()).await?;
        let Decided { events, claims, .. } = std::mem::take(&mut *unit.decided());
        Ok((!events.is_empty()).then_some(Past {
            at,
            events,
            claims,
            metadata,
        }))
    }
}

impl Unit {
    /// Loads an aggregate. Loads at the same time go to the database as one statement.
    pub async fn load<A>(&self, aggregate_id: Uuid) -> Result<Member<A>, Error>
    where
        A: Aggregate,
        A::Event: EventPayload,
    {
        let loaded = self.command_handler.load::<A>(aggregate_id).await?;
        Ok(Member {
            id: aggregate_id,
            aggregate: loaded.aggregate,
            version: loaded.version,
            correlation_id: loaded.correlation_id,
        })
    }

    /// A new aggregate, without a load. If it exists already, the command meets a conflict; the next attempt should load it.
    pub fn create<A: Aggregate>(&self, aggregate_id: Uuid) -> Member<A> {
        Member::new(aggregate_id)
    }

    /// Hands a command to the aggregate. Its events and their claims become part of this unit's command.
    pub async fn handle<A>(
        &self,
        member: &mut Member<A>,
        command: A::Command,
    ) -> Result<(), CommandError<A::Error>>
    where
        A: Aggregate<Services = ()> + 'static,
        A::Event: EventPayload,
    {
        let stream = (A::TYPE, member.id);
        let before = self.decided().versions.get(&stream).copied();
        if before.is_some_and(|version| version != Some(member.version)) {
            let (kind, id) = stream;
            let why =
                format!("{kind} {id} was loaded twice in one command, or refused half of what it was asked");
            return Err(CommandError::Append(AppendError::Unstorable(why)));
        }
        let sink = EventSink::default();
        let handled = member.aggregate.handle(command, &(), &sink).await;
        let events = sink.collect().await;
        if let Err(refusal) = handled {
            if !events.is_empty() {
                self.decided().versions.insert(stream, None);
            }
            return Err(CommandError::Refused(refusal));
        }
        let claims = self
            .command_handler
            .claims_of(&member.aggregate, member.id, &events);
        let events = new_events::<A>(member.id, member.version, &events)?;
        member.version += events.len() as u64;
        let mut decided = self.decided();
        decided.versions.insert(stream, Some(member.version));
        decided.events.extend(events);
        decided.claims.extend(claims);
        Ok(())
    }

    /// The unit's command is refused if more owners hold this claim when it is recorded.
    pub fn guard(&self, guard: Guard) {
        self.decided().claims.guard.push(guard);
    }

    fn decided(&self) -> std::sync::MutexGuard<'_, Decided> {
        // Each change is whole, also after a panic while the lock was held.
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
