//! The table of parked events.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use envelope::Position;
use serde::Serialize;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::projection::Projection;

/// The channel of the notification that follows a retry. Its payload is the projection's name, a space, and the outcome.
pub(crate) const RETRIED: &str = "parked_retried";

/// An aggregate with parked events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParkedAggregate {
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: Uuid,
    /// Position of its first parked event.
    pub(crate) position: Position,
}

/// An aggregate with parked events, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedSummary {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// How many of its events are parked.
    pub events: i64,
    /// Position of the first of them.
    pub first_position: Position,
    /// Position of the last of them.
    pub last_position: Position,
    /// Why the first is parked, without data of the event.
    pub reason: String,
    /// When the first was parked.
    pub parked_at: DateTime<Utc>,
    /// The builds that could not apply the first.
    pub builds: Vec<String>,
}

/// An event to park.
pub(crate) struct Parked {
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: Uuid,
    pub(crate) position: Position,
    /// The recorded event as JSON; may hold personal data.
    pub(crate) event: String,
    /// Why it is parked, without data of the event.
    pub(crate) reason: String,
}

/// Which of these aggregates have parked events.
pub(crate) async fn list_aggregates(
    client: &impl GenericClient,
    projection: &impl Projection,
    aggregate_ids: &[Uuid],
) -> Result<Vec<ParkedAggregate>, Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/list_parked_aggregates.sql"))
        .await?;
    let rows = client
        .query(&statement, &[&projection.name(), &aggregate_ids])
        .await?;
    rows.iter().map(aggregate).collect()
}

fn aggregate(row: &Row) -> Result<ParkedAggregate, Error> {
    Ok(ParkedAggregate {
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        position: Position::from_sql(row.try_get("position")?),
    })
}

/// At most `limit` aggregates whose first parked event this build has not tried to apply, in the order of the log.
pub(crate) async fn list_untried(
    client: &impl GenericClient,
    projection: &impl Projection,
    limit: i64,
) -> Result<Vec<ParkedAggregate>, Error> {
    let statement = include_str!("../sql/list_untried.sql");
    let (name, build) = (projection.name(), projection.build());
    let rows = client.query(statement, &[&name, &build, &limit]).await?;
    rows.iter().map(aggregate).collect()
}

/// Parks events that this build can't apply.
pub(crate) async fn park(
    client: &impl GenericClient,
    projection: &impl Projection,
    parked: &[Parked],
) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/park_events.sql"))
        .await?;
    let types: Vec<&str> = parked
        .iter()
        .map(|parked| parked.aggregate_type.as_str())
        .collect();
    let ids: Vec<Uuid> = parked.iter().map(|parked| parked.aggregate_id).collect();
    let positions: Vec<i64> = parked.iter().map(|parked| parked.position.to_sql()).collect();
    let events: Vec<&str> = parked.iter().map(|parked| parked.event.as_str()).collect();
    let reasons: Vec<&str> = parked.iter().map(|parked| parked.reason.as_str()).collect();
    let (name, build) = (projection.name(), projection.build());
    client
        .execute(
            &statement,
            &[&name, &types, &ids, &positions, &events, &reasons, &build],
        )
        .await
        .map(|_| ())
}

/// How many events are parked.
pub(crate) async fn count(client: &impl GenericClient, projection: &impl Projection) -> Result<u64, Error> {
    let row = client
        .query_one(include_str!("../sql/count_parked.sql"), &[&projection.name()])
        .await?;
    let count: i64 = row.try_get(0)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Every aggregate with parked events, in the order of their first.
pub(crate) async fn summarize(
    client: &impl GenericClient,
    projection: &impl Projection,
) -> Result<Vec<ParkedSummary>, Error> {
    let statement = include_str!("../sql/summarize_parked.sql");
    let rows = client.query(statement, &[&projection.name()]).await?;
    let summaries = rows.iter().map(|row| {
        Ok(ParkedSummary {
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            events: row.try_get("events")?,
            first_position: Position::from_sql(row.try_get("position")?),
            last_position: Position::from_sql(row.try_get("last_position")?),
            reason: row.try_get("reason")?,
            parked_at: row.try_get("parked_at")?,
            builds: row.try_get("builds")?,
        })
    });
    let mut summaries = summaries.collect::<Result<Vec<_>, Error>>()?;
    summaries.sort_by_key(|summary| summary.first_position);
    Ok(summaries)
}

/// Position and JSON text of the parked events of one aggregate, in order.
pub(crate) async fn load(
    client: &impl GenericClient,
    projection: &impl Projection,
    aggregate_type: &str,
    aggregate_id: Uuid,
) -> Result<Vec<(Position, String)>, Error> {
    let statement = include_str!("../sql/load_parked.sql");
    let rows = client
        .query(statement, &[&projection.name(), &aggregate_type, &aggregate_id])
        .await?;
    rows.iter()
        .map(|row| {
            let position = Position::from_sql(row.try_get("position")?);
            Ok((position, row.try_get("event")?))
        })
        .collect()
}

/// Removes the parked events of one aggregate up to a position.
pub(crate) async fn release(
    client: &impl GenericClient,
    projection: &impl Projection,
    aggregate_type: &str,
    aggregate_id: Uuid,
    through: Position,
) -> Result<(), Error> {
    let statement = include_str!("../sql/release_parked.sql");
    client
        .execute(
            statement,
            &[
                &projection.name(),
                &aggregate_type,
                &aggregate_id,
                &through.to_sql(),
            ],
        )
        .await
        .map(|_| ())
}

/// The new reasons why an aggregate waits.
pub(crate) struct Explanation<'a> {
    /// The event that this build can't apply.
    pub(crate) position: Position,
    pub(crate) reason: &'a str,
    /// Why the later events wait.
    pub(crate) reason_of_others: &'a str,
}

/// Replaces the reasons why an aggregate waits, and stores that this build tried.
pub(crate) async fn explain(
    client: &impl GenericClient,
    projection: &impl Projection,
    aggregate_type: &str,
    aggregate_id: Uuid,
    explanation: Explanation<'_>,
) -> Result<(), Error> {
    let statement = include_str!("../sql/explain_parked.sql");
    client
        .execute(
            statement,
            &[
                &projection.name(),
                &aggregate_type,
                &aggregate_id,
                &explanation.position.to_sql(),
                &explanation.reason,
                &explanation.reason_of_others,
                &projection.build(),
            ],
        )
        .await
        .map(|_| ())
}

/// Notifies the process that counts retries, when the transaction commits.
pub(crate) async fn notify_retried(
    client: &impl GenericClient,
    projection: &impl Projection,
    outcome: &str,
) -> Result<(), Error> {
    let statement = include_str!("../sql/notify_retried.sql");
    let payload = format!("{} {outcome}", projection.name());
    client.execute(statement, &[&RETRIED, &payload]).await.map(|_| ())
}
