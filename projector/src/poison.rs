//! Events that can't be applied: which errors mean that, and who waits behind them.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::GenericClient;
use envelope::{DecodeError, Position, RecordedEvent};
use events::Event;
use read_model::write::{self, Parked};
use tokio_postgres::Error;
use uuid::Uuid;

use crate::BUILD;
use crate::licensing::{self, Misfit, ProjectionBatch};

/// Why an event can't be applied now. Says nothing of what it holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("{0}: this build does not know it")]
    Unknown(DecodeError),
    #[error("{0}")]
    Malformed(DecodeError),
    #[error("{0}")]
    Misfit(#[from] Misfit),
    #[error("the database refused its row: {0}")]
    Refused(String),
    #[error("waits behind position {0}")]
    WaitsBehind(Position),
}

impl From<DecodeError> for Reason {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Unknown { .. } => Self::Unknown(error),
            DecodeError::Malformed { .. } => Self::Malformed(error),
        }
    }
}

/// Applies one event to the rows in memory. One of an aggregate that the projection does not read changes none.
pub(crate) fn apply(fold: &mut ProjectionBatch, recorded: &RecordedEvent) -> Result<(), Reason> {
    if !licensing::reads(&recorded.aggregate_type) {
        return Ok(());
    }
    let events = Event::read(recorded)?;
    Ok(fold.apply(recorded, events)?)
}

/// Whether the database refused a row for what is in it, and would again; said without that. Anything else (lost
/// connections, locks, a full disk, a schema that isn't ours) is not the event's fault.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let error = error.as_db_error()?;
    let code = error.code().code();
    // Data exceptions, integrity violations, and limits such as the size of an index entry.
    if !["22", "23", "54"].iter().any(|class| code.starts_with(class)) {
        return None;
    }
    let place = [error.table(), error.column(), error.constraint()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    Some(
        format!("SQLSTATE {code} {}", place.join(" "))
            .trim_end()
            .to_owned(),
    )
}

/// The aggregates that wait, and what is to be set aside in this transaction.
pub(crate) struct Waiting {
    /// The first event that waits, by aggregate.
    first: HashMap<(String, Uuid), Position>,
    parked: Vec<Parked>,
}

impl Waiting {
    /// Which aggregates of `events` wait already.
    pub(crate) async fn load(client: &impl GenericClient, events: &[RecordedEvent]) -> Result<Self, Error> {
        let mut ids: Vec<Uuid> = events.iter().map(|event| event.aggregate_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let aggregates = write::parked_aggregates(client, &ids).await?;
        let first = aggregates.into_iter().map(|aggregate| {
            (
                (aggregate.aggregate_type, aggregate.aggregate_id),
                Position::from_sql(aggregate.position),
            )
        });
        Ok(Self {
            first: first.collect(),
            parked: Vec::new(),
        })
    }

    /// Why an event must wait for an earlier one of its aggregate, if it must. Nothing waits of what is not read.
    pub(crate) fn reason(&self, event: &RecordedEvent) -> Option<Reason> {
        // Nearly always empty: nothing is cloned on the way of a healthy event.
        if self.first.is_empty() || !licensing::reads(&event.aggregate_type) {
            return None;
        }
        let first = self
            .first
            .get(&(event.aggregate_type.clone(), event.aggregate_id))?;
        Some(Reason::WaitsBehind(*first))
    }

    /// Sets an event aside; later ones of its aggregate will wait behind it.
    pub(crate) fn park(&mut self, event: &RecordedEvent, reason: &Reason) {
        tracing::error!(
            position = event.position.get(),
            event_type = event.event_type,
            aggregate_type = event.aggregate_type,
            aggregate_id = %event.aggregate_id,
            request_id = event.metadata.request_id,
            reason = %reason,
            "event parked"
        );
        self.first
            .entry((event.aggregate_type.clone(), event.aggregate_id))
            .or_insert(event.position);
        self.parked.push(Parked {
            aggregate_type: event.aggregate_type.clone(),
            aggregate_id: event.aggregate_id,
            position: event.position.to_sql(),
            // A recorded event is JSON by construction.
            event: serde_json::to_string(event).unwrap_or_default(),
            reason: reason.to_string(),
        });
    }

    /// Writes what was set aside, and gives the positions of those events.
    pub(crate) async fn store(self, client: &impl GenericClient) -> Result<BTreeSet<Position>, Error> {
        if !self.parked.is_empty() {
            write::park(client, &self.parked, BUILD).await?;
        }
        Ok(self
            .parked
            .iter()
            .map(|parked| Position::from_sql(parked.position))
            .collect())
    }
}
