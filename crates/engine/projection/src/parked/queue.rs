//! The parked events of one transaction: which aggregates wait, and which events join them.

use std::collections::{BTreeSet, HashMap};

use deadpool_postgres::GenericClient;
use envelope::{Position, RecordedEvent};
use tokio_postgres::Error;
use uuid::Uuid;

use super::reason::Reason;
use super::rows::{self, Parked};
use crate::projection::Projection;

/// The aggregates that wait, and the events that this transaction parks.
pub(crate) struct ParkedQueue {
    /// Position of the first parked event, by aggregate.
    first: HashMap<(String, Uuid), Position>,
    parked: Vec<Parked>,
}

impl ParkedQueue {
    /// Reads which aggregates of `events` wait.
    pub(crate) async fn load(
        client: &impl GenericClient,
        projection: &impl Projection,
        events: &[RecordedEvent],
    ) -> Result<Self, Error> {
        let mut ids: Vec<Uuid> = events.iter().map(|event| event.aggregate_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let aggregates = rows::list_aggregates(client, projection, &ids).await?;
        let first = aggregates.into_iter().map(|aggregate| {
            let key = (aggregate.aggregate_type, aggregate.aggregate_id);
            (key, aggregate.position)
        });
        Ok(Self {
            first: first.collect(),
            parked: Vec::new(),
        })
    }

    /// Why an event must wait behind an earlier one of its aggregate; none if it need not.
    pub(crate) fn blocks(&self, event: &RecordedEvent) -> Option<Reason> {
        // Nearly always empty. Then nothing is cloned for a healthy event.
        if self.first.is_empty() {
            return None;
        }
        let key = (event.aggregate_type.clone(), event.aggregate_id);
        self.first.get(&key).copied().map(Reason::WaitsBehind)
    }

    /// Parks an event. Later events of its aggregate wait behind it.
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
            position: event.position,
            // A recorded event is JSON by construction.
            event: serde_json::to_string(event).unwrap_or_default(),
            reason: reason.to_string(),
        });
    }

    /// Writes the events that were parked, and gives their positions.
    pub(crate) async fn store(
        self,
        client: &impl GenericClient,
        projection: &impl Projection,
    ) -> Result<BTreeSet<Position>, Error> {
        if !self.parked.is_empty() {
            rows::park(client, projection, &self.parked).await?;
        }
        Ok(self.parked.iter().map(|parked| parked.position).collect())
    }
}
