//! The checkpoint: who may move it, and what is said of the rows at it.

use deadpool_postgres::GenericClient;
use tokio_postgres::Error;
use uuid::Uuid;

use crate::checkpoint::{CHANNEL, PROJECTION};
use crate::known_schema;

/// Writes a first checkpoint in this life of the log, unless there is a checkpoint already.
pub async fn start_checkpoint(client: &impl GenericClient, epoch: Uuid) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/start_checkpoint.sql"))
        .await?;
    client
        .execute(&statement, &[&PROJECTION, &epoch])
        .await
        .map(|_| ())
}

const MOVE: &str = include_str!("../sql/write/move_checkpoint.sql");

/// Makes sure that the next [`move_checkpoint`] on this connection is sent at its first poll: before whatever is polled
/// together with it, but after it.
pub async fn prepare_to_move(client: &impl GenericClient) -> Result<(), Error> {
    client.prepare_cached(MOVE).await.map(|_| ())
}

/// Moves the checkpoint from one position to another, where the event with this fingerprint is; false if it does not
/// stand there, because another owner moved it or the log began a new life, or if the tables are of another schema than
/// this build knows.
pub async fn move_checkpoint(
    client: &impl GenericClient,
    from: i64,
    to: i64,
    epoch: Uuid,
    fingerprint: Option<&[u8]>,
) -> Result<bool, Error> {
    let statement = client.prepare_cached(MOVE).await?;
    client
        .execute(
            &statement,
            &[&PROJECTION, &from, &to, &epoch, &known_schema(), &fingerprint],
        )
        .await
        .map(|moved| moved == 1)
}

/// Locks the checkpoint where it is until the transaction ends: meanwhile nobody applies anything. False if there is
/// none.
pub async fn lock_checkpoint(client: &impl GenericClient) -> Result<bool, Error> {
    let statement = include_str!("../sql/write/lock_checkpoint.sql");
    let locked = client.query_opt(statement, &[&PROJECTION]).await?;
    Ok(locked.is_some())
}

/// Goes on in another life of the log, where there are no rows yet; false, with nothing changed, if there are, or if the
/// checkpoint is not in `old` any more.
pub async fn adopt_epoch(client: &impl GenericClient, old: Uuid, new: Uuid) -> Result<bool, Error> {
    let statement = include_str!("../sql/write/adopt_epoch.sql");
    let moved = client.execute(statement, &[&PROJECTION, &old, &new]).await?;
    Ok(moved == 1)
}

/// Says which event a checkpoint is at that does not say so yet.
pub async fn note_fingerprint(
    client: &impl GenericClient,
    position: i64,
    epoch: Uuid,
    fingerprint: &[u8],
) -> Result<(), Error> {
    let statement = include_str!("../sql/write/note_fingerprint.sql");
    client
        .execute(statement, &[&PROJECTION, &position, &epoch, &fingerprint])
        .await
        .map(|_| ())
}

/// Says whether the rows at this checkpoint are of another log than there is now, so that answers can say it.
pub async fn mark_stale(
    client: &impl GenericClient,
    position: i64,
    epoch: Uuid,
    stale: bool,
) -> Result<(), Error> {
    let statement = include_str!("../sql/write/mark_stale.sql");
    client
        .execute(statement, &[&PROJECTION, &position, &epoch, &stale])
        .await
        .map(|_| ())
}

/// Tells those who wait for a position that it is there, when the transaction commits.
pub async fn notify_projected(client: &impl GenericClient, position: i64) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("../sql/write/notify_projected.sql"))
        .await?;
    client
        .execute(&statement, &[&CHANNEL, &position.to_string()])
        .await
        .map(|_| ())
}
