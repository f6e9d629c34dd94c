//! Events that wait, because one of their aggregate could not be applied.

use deadpool_postgres::GenericClient;
use serde_json::Value;
use tokio_postgres::Error;
use uuid::Uuid;

use crate::checkpoint::PROJECTION;

/// An aggregate with events that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedAggregate {
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Position of the first event that waits.
    pub position: i64,
}

/// An event to set aside.
#[derive(Clone)]
pub struct Parked {
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Its place in the log.
    pub position: i64,
    /// The recorded event as it travelled; may hold personal data.
    pub event: Value,
    /// Why it waits, without row data.
    pub reason: String,
}

/// Which of these aggregates have events that wait.
pub async fn parked_aggregates(
    client: &impl GenericClient,
    aggregate_ids: &[Uuid],
) -> Result<Vec<ParkedAggregate>, Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/list_parked_aggregates.sql"))
        .await?;
    let rows = client.query(&statement, &[&PROJECTION, &aggregate_ids]).await?;
    rows.iter()
        .map(|row| {
            Ok(ParkedAggregate {
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
                position: row.try_get("position")?,
            })
        })
        .collect()
}

/// Sets events aside.
pub async fn park(client: &impl GenericClient, parked: &[Parked]) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/park_events.sql"))
        .await?;
    let types: Vec<&str> = parked
        .iter()
        .map(|parked| parked.aggregate_type.as_str())
        .collect();
    let ids: Vec<Uuid> = parked.iter().map(|parked| parked.aggregate_id).collect();
    let positions: Vec<i64> = parked.iter().map(|parked| parked.position).collect();
    let events: Vec<&Value> = parked.iter().map(|parked| &parked.event).collect();
    let reasons: Vec<&str> = parked.iter().map(|parked| parked.reason.as_str()).collect();
    client
        .execute(
            &statement,
            &[&PROJECTION, &types, &ids, &positions, &events, &reasons],
        )
        .await
        .map(|_| ())
}

/// How many events wait.
pub async fn count_parked(client: &impl GenericClient) -> Result<i64, Error> {
    client
        .query_one(include_str!("../sql/write/count_parked.sql"), &[&PROJECTION])
        .await?
        .try_get(0)
}
