//! Runs commands on aggregates: load, handle, append; again on a conflict, a bounded number of times.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use envelope::{EventPayload, Metadata, Position};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::append::{Append, Appended, IdempotencyKey, NewEvent};
use crate::claims::{ClaimRules, Claims};
use crate::error::{AppendError, CommandError, Error, VersionConflict};
use crate::loader::Loader;
use crate::log::Log;
use crate::replay::{Loaded, Replayed, replay};
use crate::retries::Retries;
use crate::snapshots::{SnapshotOptions, Snapshots, Taken};
use crate::writer::Appender;

/// Runs commands on aggregates.
#[derive(Clone)]
pub struct CommandHandler {
    log: Log,
    loader: Loader,
    appender: Appender,
    snapshots: Option<Snapshots>,
    claims: ClaimRules,
    keeps_empty_outcomes: bool,
    rehearses: bool,
}

/// One command and what goes with it.
#[derive(Clone)]
pub struct CommandRequest<C> {
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The command.
    pub command: C,
    /// The caller's key.
    pub key: IdempotencyKey,
    /// Request, actor and cause.
    pub metadata: Metadata,
    /// The version that the aggregate must be at; any if not set.
    pub expected_version: Option<u64>,
    /// The aggregate is probably new: the first attempt does not load it.
    pub creates: bool,
}

impl<C> CommandRequest<C> {
    /// A command on an aggregate at any version, without metadata.
    pub fn new(aggregate_id: Uuid, command: C, key: IdempotencyKey) -> Self {
        Self {
            aggregate_id,
            command,
            key,
            metadata: Metadata::default(),
            expected_version: None,
            creates: false,
        }
    }

    /// The aggregate must be at this version, or the command is refused with [`CommandError::Version`].
    #[must_use]
    pub fn expecting(mut self, version: u64) -> Self {
        self.expected_version = Some(version);
        self
    }
}

/// The answer of an accepted command, also when its key is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandResponse {
    /// A JSON object with its `position`. The same bytes for the same key.
    pub body: String,
    /// Position of the command's last event, or of the head if it had none.
    pub position: Position,
    /// Whether nothing was recorded now: the key had been used before, or the command had no events and is not kept.
    pub replayed: bool,
}

impl CommandResponse {
    /// The answer as kept: the response, a JSON object, gets its position as the last member.
    pub(crate) fn render(response: &str, position: Position, replayed: bool) -> Self {
        let members = response.strip_suffix('}').unwrap_or(response);
        let comma = if members.trim() == "{" { "" } else { "," };
        Self {
            body: format!("{members}{comma}\"position\":{position}}}"),
            position,
            replayed,
        }
    }
}

impl CommandHandler {
    /// A command handler that reads stored answers from `log`, loads through `loader` and writes through `appender`, all on
    /// the same database.
    pub const fn new(log: Log, loader: Loader, appender: Appender) -> Self {
        Self {
            log,
            loader,
            appender,
            snapshots: None,
            claims: ClaimRules::NONE,
            keeps_empty_outcomes: true,
            rehearses: false,
        }
    }

    /// A command without events and claims is not recorded; when its key is sent again, it is decided again. For process
    /// managers, most of whose commands find nothing to do and whose answers are not read.
    #[must_use]
    pub const fn without_empty_outcomes(mut self) -> Self {
        self.keeps_empty_outcomes = false;
        self
    }

    /// Commands are decided and nothing is recorded: the answer is what it would be now, with the position of the head. Each
    /// command is decided by itself, as if the ones before it had not been.
    #[must_use]
    pub fn rehearsing(mut self) -> Self {
        self.rehearses = true;
        self.snapshots = None;
        self
    }

    /// Its commands yield to those of others: see [`Appender::yielding`].
    #[must_use]
    pub fn yielding(mut self) -> Self {
        self.appender = self.appender.yielding();
        self
    }

    /// Every command on an `A` takes and releases the claims that `rule` returns for the aggregate after its events, its id,
    /// and the events.
    #[must_use]
    pub fn claiming<A: Aggregate + 'static>(
        mut self,
        rule: impl Fn(&A, Uuid, &[A::Event]) -> Claims + Send + Sync + 'static,
    ) -> Self {
        self.claims.add(rule);
        self
    }

    /// Writes snapshots after commits and begins loads with them.
    #[must_use]
    pub fn with_snapshots(mut self, options: SnapshotOptions) -> Self {
        self.snapshots = (options.every > 0).then(|| Snapshots::start(self.log.pool().clone(), options));
        self
    }

    /// The log it reads from.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Records what a command decided.
    pub(crate) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if !self.rehearses {
            return self.appender.append(append).await;
        }
        let unavailable = |error: Error| AppendError::Unavailable(error.to_string());
        let taken = self
            .log
            .would_be_taken(&append.claims)
            .await
            .map_err(unavailable)?;
        if !taken.is_empty() {
            return Err(AppendError::ClaimTaken(taken));
        }
        Ok(Appended {
            position: self.log.head().await.map_err(unavailable)?.position,
            response: append.response,
            replayed: true,
            in_doubt: false,
        })
    }

    pub(crate) fn claims_of<A: Aggregate + 'static>(
        &self,
        aggregate: &A,
        aggregate_id: Uuid,
        events: &[A::Event],
    ) -> Claims {
        self.claims.of(aggregate, aggregate_id, events)
    }

    /// Loads an aggregate; its default at version 0 if it has no events.
    pub async fn load<A>(&self, aggregate_id: Uuid) -> Result<Loaded<A>, Error>
    where
        A: Aggregate,
        A::Event: EventPayload,
    {
        Ok(self.replay::<A>(aggregate_id).await?.loaded)
    }

    async fn replay<A>(&self, aggregate_id: Uuid) -> Result<Replayed<A>, Error>
    where
        A: Aggregate,
        A::Event: EventPayload,
    {
        let shape = self
            .snapshots
            .as_ref()
            .map(|snapshots| &snapshots.schema_fingerprint);
        replay(&self.loader, self.log.vault.as_deref(), shape, aggregate_id).await
    }

    /// The kept answer of the command with `key`, if one was accepted before.
    pub async fn answered<E>(
        &self,
        key: &IdempotencyKey,
    ) -> Result<Option<CommandResponse>, CommandError<E>> {
        match self.log.outcome(&key.scope, &key.key).await? {
            None => Ok(None),
            Some(outcome) if !outcome.is_of(key, self.log.vault.as_deref()) => {
                Err(CommandError::Append(AppendError::KeyReused))
            }
            Some(outcome) => Ok(Some(CommandResponse::render(
                &outcome.response,
                outcome.position,
                true,
            ))),
        }
    }

    /// Runs one command. `respond` makes the answer's body, an object, of the aggregate after the command and its version;
    /// `position` is added to it.
    pub async fn execute<A>(
        &self,
        request: CommandRequest<A::Command>,
        respond: impl Fn(&A, u64) -> serde_json::Value + Send + Sync,
    ) -> Result<CommandResponse, CommandError<A::Error>>
    where
        A: Aggregate<Services = ()> + 'static,
        A::Command: Clone + Send + Sync,
        A::Event: EventPayload,
    {
        Ok(self.execute_on(None, request, respond).await?.0)
    }

    /// As [`CommandHandler::execute`], for a caller with several commands for one aggregate. The first attempt uses `known`,
    /// if given, instead of a load. Returns the aggregate after the command, or `None` if the key may have been used
    /// before or a snapshot took the aggregate.
    pub async fn execute_on<A>(
        &self,
        mut known: Option<Loaded<A>>,
        request: CommandRequest<A::Command>,
        respond: impl Fn(&A, u64) -> serde_json::Value + Send + Sync,
    ) -> Result<(CommandResponse, Option<Loaded<A>>), CommandError<A::Error>>
    where
        A: Aggregate<Services = ()> + 'static,
        A::Command: Clone + Send + Sync,
        A::Event: EventPayload,
    {
        let mut retries = Retries::default();
        loop {
            let replayed = if let Some(loaded) = known.take() {
                Replayed {
                    loaded,
                    ..Replayed::default()
                }
            } else if request.creates && retries.none_yet() {
                Replayed::default()
            } else {
                self.replay::<A>(request.aggregate_id).await?
            };
            let Replayed {
                mut loaded,
                snapshot_at,
                epoch,
                head,
            } = replayed;
            if let Some(expected) = request.expected_version
                && expected != loaded.version
            {
                let refusal = CommandError::Version(VersionConflict {
                    aggregate_type: A::TYPE.to_owned(),
                    aggregate_id: request.aggregate_id,
                    expected,
                    actual: loaded.version,
                });
                return Ok((self.answered_or(&request.key, refusal).await?, None));
            }
            let sink = EventSink::default();
            if let Err(refusal) = loaded.aggregate.handle(request.command.clone(), &(), &sink).await {
                let refusal = CommandError::Refused(refusal);
                return Ok((self.answered_or(&request.key, refusal).await?, None));
            }
            let events = sink.collect().await;
            let claims = self.claims_of(&loaded.aggregate, request.aggregate_id, &events);
            let events = new_events::<A>(request.aggregate_id, loaded.version, &events)?;
            let version = loaded.version + events.len() as u64;
            let response = respond(&loaded.aggregate, version).to_string();
            if self.writes_nothing(&events, &claims) {
                return Ok((self.unkept(&response, head).await?, Some(loaded)));
            }
            let append = Append {
                key: request.key.clone(),
                response,
                events,
                claims,
                metadata: request.metadata.clone(),
            };
            let appended = match self.append(append).await {
                Ok(appended) => appended,
                Err(AppendError::Conflict(conflict)) => {
                    retries.after(conflict).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let answer = CommandResponse::render(&appended.response, appended.position, appended.replayed);
            if appended.replayed || appended.in_doubt {
                return Ok((answer, None));
            }
            let changed = version > loaded.version;
            if loaded.version == 0 && changed {
                loaded.correlation_id.clone_from(&request.metadata.correlation_id);
            }
            loaded.version = version;
            let Some(epoch) = epoch.filter(|_| changed) else {
                return Ok((answer, Some(loaded)));
            };
            let left = self.offer_snapshot(
                request.aggregate_id,
                loaded,
                snapshot_at,
                appended.position,
                epoch,
            );
            return Ok((answer, left));
        }
    }

    /// Hands the aggregate after the event at `position` to the snapshot task; gives it back if no snapshot is due.
    fn offer_snapshot<A: Aggregate + 'static>(
        &self,
        aggregate_id: Uuid,
        loaded: Loaded<A>,
        snapshot_at: u64,
        position: Position,
        epoch: Uuid,
    ) -> Option<Loaded<A>> {
        let snapshots = self
            .snapshots
            .as_ref()
            .filter(|snapshots| snapshots.is_due(loaded.version, snapshot_at));
        let Some(snapshots) = snapshots else {
            return Some(loaded);
        };
        snapshots.take(Taken {
            aggregate: loaded.aggregate,
            aggregate_id,
            sequence: loaded.version,
            position,
            epoch,
            correlation_id: loaded.correlation_id,
        });
        None
    }

    /// Whether a command with these events and claims is not recorded at all.
    pub(crate) const fn writes_nothing(&self, events: &[NewEvent], claims: &Claims) -> bool {
        !self.keeps_empty_outcomes && events.is_empty() && claims.is_empty()
    }

    /// The answer of a command that is not recorded, at `head` if that is known.
    pub(crate) async fn unkept(
        &self,
        response: &str,
        head: Option<Position>,
    ) -> Result<CommandResponse, Error> {
        let position = match head {
            Some(position) => position,
            None => self.log.head().await?.position,
        };
        Ok(CommandResponse::render(response, position, true))
    }

    /// A command that is refused now may have been accepted before: then the answer of its key counts.
    pub(crate) async fn answered_or<E>(
        &self,
        key: &IdempotencyKey,
        refusal: CommandError<E>,
    ) -> Result<CommandResponse, CommandError<E>> {
        self.answered(key).await?.ok_or(refusal)
    }
}

/// The events to record after `version`.
pub(crate) fn new_events<A>(
    aggregate_id: Uuid,
    version: u64,
    events: &[A::Event],
) -> Result<Vec<NewEvent>, Error>
where
    A: Aggregate,
    A::Event: EventPayload,
{
    (version + 1..)
        .zip(events)
        .map(|(sequence, event)| {
            let payload: Box<RawValue> = event.encode().map_err(|_| {
                Error::Broken(format!("{} has no JSON form", EventPayload::event_type(event)))
            })?;
            Ok(NewEvent {
                aggregate_type: A::TYPE.into(),
                aggregate_id,
                sequence,
                event_type: EventPayload::event_type(event).to_owned().into(),
                event_version: EventPayload::event_version(event).to_owned().into(),
                payload,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use envelope::Position;

    use super::CommandResponse;

    #[test]
    fn the_answer_is_the_response_with_its_position() {
        let answer = |response| CommandResponse::render(response, Position::new(7), false).body;
        assert_eq!(
            answer(r#"{"a":{"b":1}}"#),
            r#"{"a":{"b":1}},"position":7}"#.replacen("}}", "}", 1)
        );
        assert_eq!(answer(r#"{"a":1}"#), r#"{"a":1,"position":7}"#);
        assert_eq!(answer("{}"), r#"{"position":7}"#);
    }
}
