//! Events that wait, because one of their aggregate could not be applied.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::checkpoint::PROJECTION;

/// The channel on which a retry of a parked aggregate notifies, with its outcome as payload, when it commits.
pub const RETRIED: &str = "parked_retried";

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

/// An aggregate that waits, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedSummary {
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// How many of its events wait.
    pub events: i64,
    /// Position of the first of them.
    pub first_position: i64,
    /// Position of the last of them.
    pub last_position: i64,
    /// Why the first waits, without row data.
    pub reason: String,
    /// Since when.
    pub parked_at: DateTime<Utc>,
    /// The builds that could not apply the first of them.
    pub builds: Vec<String>,
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
    /// The recorded event as it travelled, JSON; may hold personal data.
    pub event: String,
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
    rows.iter().map(aggregate).collect()
}

fn aggregate(row: &Row) -> Result<ParkedAggregate, Error> {
    Ok(ParkedAggregate {
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        position: row.try_get("position")?,
    })
}

/// At most `limit` aggregates that wait at an event which `build` has not tried to apply, in order of the log.
pub async fn list_untried(
    client: &impl GenericClient,
    build: &str,
    limit: i64,
) -> Result<Vec<ParkedAggregate>, Error> {
    let statement = include_str!("../sql/write/list_untried.sql");
    let rows = client.query(statement, &[&PROJECTION, &build, &limit]).await?;
    rows.iter().map(aggregate).collect()
}

/// Sets events aside that `build` can't apply.
pub async fn park(client: &impl GenericClient, parked: &[Parked], build: &str) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/park_events.sql"))
        .await?;
    let types: Vec<&str> = parked
        .iter()
        .map(|parked| parked.aggregate_type.as_str())
        .collect();
    let ids: Vec<Uuid> = parked.iter().map(|parked| parked.aggregate_id).collect();
    let positions: Vec<i64> = parked.iter().map(|parked| parked.position).collect();
    let events: Vec<&str> = parked.iter().map(|parked| parked.event.as_str()).collect();
    let reasons: Vec<&str> = parked.iter().map(|parked| parked.reason.as_str()).collect();
    client
        .execute(
            &statement,
            &[&PROJECTION, &types, &ids, &positions, &events, &reasons, &build],
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

/// Every aggregate that waits, in order of the positions they stand at.
pub async fn summarize_parked(client: &impl GenericClient) -> Result<Vec<ParkedSummary>, Error> {
    let statement = include_str!("../sql/write/summarize_parked.sql");
    let rows = client.query(statement, &[&PROJECTION]).await?;
    let summaries = rows.iter().map(|row| {
        Ok(ParkedSummary {
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            events: row.try_get("events")?,
            first_position: row.try_get("position")?,
            last_position: row.try_get("last_position")?,
            reason: row.try_get("reason")?,
            parked_at: row.try_get("parked_at")?,
            builds: row.try_get("builds")?,
        })
    });
    let mut summaries = summaries.collect::<Result<Vec<_>, Error>>()?;
    summaries.sort_by_key(|summary| summary.first_position);
    Ok(summaries)
}

/// Position and JSON text of the events of one aggregate that wait, in order.
pub async fn load_parked(
    client: &impl GenericClient,
    aggregate_type: &str,
    aggregate_id: Uuid,
) -> Result<Vec<(i64, String)>, Error> {
    let statement = include_str!("../sql/write/load_parked.sql");
    let rows = client
        .query(statement, &[&PROJECTION, &aggregate_type, &aggregate_id])
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("position")?, row.try_get("event")?)))
        .collect()
}

/// The events of one aggregate up to a position wait no longer; gives how many.
pub async fn release_parked(
    client: &impl GenericClient,
    aggregate_type: &str,
    aggregate_id: Uuid,
    through: i64,
) -> Result<u64, Error> {
    let statement = include_str!("../sql/write/release_parked.sql");
    client
        .execute(
            statement,
            &[&PROJECTION, &aggregate_type, &aggregate_id, &through],
        )
        .await
}

/// Says anew why an aggregate waits: the event at `position` for a `reason` of its own that `build` found, the others
/// behind it.
pub async fn explain_parked(
    client: &impl GenericClient,
    aggregate_type: &str,
    aggregate_id: Uuid,
    position: i64,
    reason: &str,
    reason_of_others: &str,
    build: &str,
) -> Result<(), Error> {
    let statement = include_str!("../sql/write/explain_parked.sql");
    client
        .execute(
            statement,
            &[
                &PROJECTION,
                &aggregate_type,
                &aggregate_id,
                &position,
                &reason,
                &reason_of_others,
                &build,
            ],
        )
        .await
        .map(|_| ())
}

/// Tells the projector that counts how a retry ended, when the transaction commits.
pub async fn notify_retried(client: &impl GenericClient, outcome: &str) -> Result<(), Error> {
    let statement = include_str!("../sql/write/notify_retried.sql");
    client.execute(statement, &[&RETRIED, &outcome]).await.map(|_| ())
}
