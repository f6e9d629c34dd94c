//! How far the log has come, for readers who can't see it.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use tokio_postgres::Error;

use crate::checkpoint::PROJECTION;

/// The clock of the database, to be asked before the log is.
pub async fn clock(client: &impl GenericClient) -> Result<DateTime<Utc>, Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/read_clock.sql"))
        .await?;
    client.query_one(&statement, &[]).await?.try_get("now")
}

/// Notes that the log ended at `position`, seen after [`clock`] said `seen_at`.
pub async fn see_head(
    client: &impl GenericClient,
    position: i64,
    seen_at: DateTime<Utc>,
) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/see_head.sql"))
        .await?;
    client
        .execute(&statement, &[&PROJECTION, &position, &seen_at])
        .await
        .map(|_| ())
}
