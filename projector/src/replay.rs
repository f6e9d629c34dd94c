//! The same rows in another database, straight from the log, to compare with.

use deadpool_postgres::{Pool, PoolError};
use envelope::Position;
use envelope::{LogError, LogReader};
use read_model::{Checkpoint, SchemaError, checkpoint, write};
use service::postgres::PoolOptions;

use crate::apply::{self, ApplyError};

/// Events read and applied at once.
const BATCH: u32 = 1_000;

/// Why a replay was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The URL can't be used.
    #[error("the other database's URL: {0}")]
    Url(String),
    /// The schema could not be created.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The log could not be read.
    #[error("the log: {0}")]
    Log(#[source] LogError),
    /// The rows could not be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] read_model::Error),
    /// Somebody else writes there too.
    #[error("the other database belongs to another log or another projector")]
    NotEmpty,
}

/// Applies the whole log, from position 1 to its head now, to an empty database at `read_url`, whose schema it
/// creates. Without NATS. Gives the position reached; compare with [`read_model::digest`] of both.
pub async fn replay_into(read_url: &str, log: &impl LogReader) -> Result<Position, ReplayError> {
    read_model::migrate(read_url).await?;
    let options = PoolOptions {
        db_pool_size: 1,
        ..PoolOptions::default()
    };
    let pool = service::postgres::pool(read_url, &options, "projector replay")
        .map_err(|error| ReplayError::Url(error.to_string()))?;
    let head = log.head().await.map_err(ReplayError::Log)?;
    let mut reached = start(&pool, head.epoch).await?;
    if reached
        != (Checkpoint {
            position: 0,
            epoch: head.epoch,
        })
    {
        return Err(ReplayError::NotEmpty);
    }
    while reached.position < head.position.get() {
        let left = head.position.since(Position::new(reached.position));
        let limit = u32::try_from(left).unwrap_or(BATCH).min(BATCH);
        let events = log
            .read_after(Position::new(reached.position), limit)
            .await
            .map_err(ReplayError::Log)?;
        if events.is_empty() {
            return Err(ReplayError::Log("the log ended before its head".into()));
        }
        reached = apply::apply(&pool, reached, &events).await?;
    }
    Ok(head.position)
}

async fn start(pool: &Pool, epoch: uuid::Uuid) -> Result<Checkpoint, ReplayError> {
    let client = pool
        .get()
        .await
        .map_err(|error: PoolError| ApplyError::from(error))?;
    write::start_checkpoint(&client, epoch)
        .await
        .map_err(ApplyError::from)?;
    Ok(checkpoint::read(&**client).await?)
}
