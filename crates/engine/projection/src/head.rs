//! How far the log has come, for readers that can't see it.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use envelope::Position;
use tokio_postgres::Error;

use crate::projection::Projection;

/// The clock of the database, to be read before the log is.
pub(crate) async fn clock(client: &impl GenericClient) -> Result<DateTime<Utc>, Error> {
    let statement = client.prepare_cached(include_str!("sql/read_clock.sql")).await?;
    client.query_one(&statement, &[]).await?.try_get("now")
}

/// Stores that the log ended at `position`, read after [`clock`] gave `seen_at`.
pub(crate) async fn see(
    client: &impl GenericClient,
    projection: &impl Projection,
    position: Position,
    seen_at: DateTime<Utc>,
) -> Result<(), Error> {
    let statement = client.prepare_cached(include_str!("sql/see_head.sql")).await?;
    client
        .execute(&statement, &[&projection.name(), &position.to_sql(), &seen_at])
        .await
        .map(|_| ())
}
