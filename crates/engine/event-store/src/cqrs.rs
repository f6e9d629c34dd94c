//! The log as a cqrs-es store, for code that uses its [`EventStore`] trait: `CqrsFramework` runs on it.
//!
//! Differences from postgres-es: no snapshot is applied twice, a database error during replay is an error, and a commit
//! has an idempotency key (a fresh one, since the trait has none).

use std::collections::HashMap;

use cqrs_es::persist::PersistenceError;
use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use envelope::{EventPayload, Facts, Metadata, Run};
use uuid::Uuid;

use crate::append::{Append, IdempotencyKey};
use crate::command_handler::{CommandHandler, new_events};
use crate::error::{AppendError, Error};

/// An aggregate loaded for one command.
pub struct StoreContext<A> {
    id: Uuid,
    version: u64,
    aggregate: A,
}

impl<A: Aggregate> AggregateContext<A> for StoreContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.aggregate
    }
}

impl<A> EventStore<A> for CommandHandler
where
    A: Aggregate + 'static,
    A::Event: EventPayload,
{
    type AC = StoreContext<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let id = parse(aggregate_id)?;
        let recorded = self.log().load(A::TYPE, id, 0).await.map_err(unexpected)?;
        let opened = self.log().open(recorded).await.map_err(unexpected)?;
        let (mut run, mut events) = (Run::<A::Event>::default(), Vec::new());
        let mut sequence = 0;
        for event in opened.events() {
            let facts = Facts::recorded(&event.event_type, &event.event_version, event.payload.get());
            sequence = event.sequence;
            run.push(facts, |payload| events.push((sequence, payload)))
                .map_err(|error| unexpected(error.into()))?;
        }
        run.finish(|payload| events.push((sequence, payload)))
            .map_err(|error| unexpected(error.into()))?;
        events
            .into_iter()
            .map(|(sequence, payload)| envelope(id, sequence, payload, HashMap::new()))
            .collect()
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<StoreContext<A>, AggregateError<A::Error>> {
        let id = parse(aggregate_id)?;
        let loaded = self.load::<A>(id).await.map_err(unexpected)?;
        Ok(StoreContext {
            id,
            version: loaded.version,
            aggregate: loaded.aggregate,
        })
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: StoreContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let mut known = metadata.clone();
        let append = Append {
            key: IdempotencyKey::unique(),
            response: "{}".into(),
            claims: self.claims_of(&context.aggregate, context.id, &events),
            events: new_events::<A>(context.id, context.version, &events).map_err(unexpected)?,
            metadata: Metadata {
                request_id: known.remove("request_id"),
                correlation_id: known.remove("correlation_id"),
                causation_position: None,
                actor: known.remove("actor"),
                actor_role: known.remove("actor_role"),
                traceparent: known.remove("traceparent"),
            },
        };
        self.append(append).await.map_err(|error| match error {
            AppendError::Conflict(_) => AggregateError::AggregateConflict,
            other => AggregateError::UnexpectedError(Box::new(other)),
        })?;
        (context.version + 1..)
            .zip(events)
            .map(|(sequence, payload)| envelope(context.id, sequence, payload, metadata.clone()))
            .collect()
    }
}

fn envelope<A: Aggregate>(
    id: Uuid,
    sequence: u64,
    payload: A::Event,
    metadata: HashMap<String, String>,
) -> Result<EventEnvelope<A>, AggregateError<A::Error>> {
    let sequence =
        usize::try_from(sequence).map_err(|error| AggregateError::UnexpectedError(Box::new(error)))?;
    Ok(EventEnvelope {
        aggregate_id: id.to_string(),
        sequence,
        payload,
        metadata,
    })
}

fn parse<E: std::error::Error>(aggregate_id: &str) -> Result<Uuid, AggregateError<E>> {
    aggregate_id
        .parse()
        .map_err(|error: uuid::Error| PersistenceError::UnknownError(Box::new(error)).into())
}

fn unexpected<E: std::error::Error>(error: Error) -> AggregateError<E> {
    match error {
        Error::Unavailable(_) => AggregateError::DatabaseConnectionError(Box::new(error)),
        Error::Decode(_) => AggregateError::DeserializationError(Box::new(error)),
        other => AggregateError::UnexpectedError(Box::new(other)),
    }
}
