//! The same rows in another database, straight from the log, to compare with.

use deadpool_postgres::{Pool, PoolError};
use envelope::Position;
use envelope::{LogError, LogReader};
use read_model::{Checkpoint, SchemaError, checkpoint, write};
use service::postgres::PoolOptions;
use uuid::Uuid;

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
    let mut replay = Replay::begin(&pool, head.epoch).await?;
    replay.advance(log, head.position, |_| {}).await?;
    Ok(head.position)
}

/// A replay under way, into tables that nobody else writes to.
pub(crate) struct Replay<'a> {
    pool: &'a Pool,
    reached: Checkpoint,
}

impl<'a> Replay<'a> {
    /// At the beginning of the log in this epoch; the tables must be empty.
    pub(crate) async fn begin(pool: &'a Pool, epoch: Uuid) -> Result<Self, ReplayError> {
        let reached = start(pool, epoch).await?;
        if reached != (Checkpoint { position: 0, epoch }) {
            return Err(ReplayError::NotEmpty);
        }
        Ok(Self { pool, reached })
    }

    /// Applies the log on to a position, and says now and then how far it has come.
    pub(crate) async fn advance(
        &mut self,
        log: &impl LogReader,
        to: Position,
        mut reached: impl FnMut(Position),
    ) -> Result<(), ReplayError> {
        loop {
            let at = Position::new(self.reached.position);
            let limit = u32::try_from(to.since(at)).unwrap_or(BATCH).min(BATCH);
            if limit == 0 {
                return Ok(());
            }
            let events = log.read_after(at, limit).await.map_err(ReplayError::Log)?;
            if events.is_empty() {
                return Err(ReplayError::Log("the log ended before its head".into()));
            }
            self.reached = apply::apply_quietly(self.pool, self.reached, &events).await?;
            reached(Position::new(self.reached.position));
        }
    }
}

async fn start(pool: &Pool, epoch: Uuid) -> Result<Checkpoint, ReplayError> {
    let client = pool
        .get()
        .await
        .map_err(|error: PoolError| ApplyError::from(error))?;
    write::start_checkpoint(&client, epoch)
        .await
        .map_err(ApplyError::from)?;
    Ok(checkpoint::read(&**client).await?)
}
