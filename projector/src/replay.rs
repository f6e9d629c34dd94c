//! The same rows elsewhere, straight from the log: to compare with, and to put in the place of the live ones.

use deadpool_postgres::{Pool, PoolError};
use envelope::{LogError, Position};
use event_store::Log;
use read_model::{Checkpoint, SchemaError, checkpoint, write};
use service::postgres::PoolOptions;
use uuid::Uuid;

use crate::apply::{self, ApplyError};
use crate::load;

/// Events read and applied at once, on the last stretch.
const BATCH: u32 = 1_000;
/// A stretch longer than this is loaded by all workers.
const LONG: u64 = 200;

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
    /// The log began another life meanwhile.
    #[error("the log is in epoch {found}, the replay began in epoch {began}")]
    EpochChanged {
        /// When the replay began.
        began: Uuid,
        /// Now.
        found: Uuid,
    },
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

impl From<tokio_postgres::Error> for ReplayError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl From<PoolError> for ReplayError {
    fn from(error: PoolError) -> Self {
        Self::Apply(error.into())
    }
}

/// Applies the whole log, from position 1 to its head now, to an empty database at `read_url`, whose schema it
/// creates. Without NATS. Gives the position reached; compare with [`read_model::digest`] of both.
pub async fn replay_into(read_url: &str, log: &Log) -> Result<Position, ReplayError> {
    read_model::migrate(read_url).await?;
    let options = PoolOptions {
        db_pool_size: load::shares() + 1,
        db_statement_timeout_s: 0,
    };
    let pool = service::postgres::pool(read_url, &options, "projector replay")
        .map_err(|error| ReplayError::Url(error.to_string()))?;
    let head = log.head().await.map_err(log_failed)?;
    let mut replay = Replay::begin(pool, log.clone(), head.epoch).await?;
    replay.advance(head.position, |_| {}).await?;
    Ok(head.position)
}

/// A replay under way, into tables that nobody else writes to. After an error they are good for nothing.
pub(crate) struct Replay {
    pool: Pool,
    log: Log,
    window: u64,
    reached: Checkpoint,
}

impl Replay {
    /// At the beginning of the log in this epoch; the tables must be empty.
    pub(crate) async fn begin(pool: Pool, log: Log, epoch: Uuid) -> Result<Self, ReplayError> {
        let client = pool.get().await?;
        write::start_checkpoint(&client, epoch).await?;
        let reached = checkpoint::read(&**client).await?;
        drop(client);
        if reached != (Checkpoint { position: 0, epoch }) {
            return Err(ReplayError::NotEmpty);
        }
        let window = load::WINDOW;
        Ok(Self {
            pool,
            log,
            window,
            reached,
        })
    }

    /// Reads this many positions at once, at least one.
    pub(crate) fn with_window(mut self, positions: u64) -> Self {
        self.window = positions.max(1);
        self
    }

    /// How far it has come.
    pub(crate) fn reached(&self) -> Position {
        Position::new(self.reached.position)
    }

    /// The life of the log that it is of.
    pub(crate) fn epoch(&self) -> Uuid {
        self.reached.epoch
    }

    /// Applies the log on to a position, and says now and then how many events of this stretch are in.
    pub(crate) async fn advance(
        &mut self,
        to: Position,
        mut done: impl FnMut(u64),
    ) -> Result<(), ReplayError> {
        let from = self.reached();
        self.same_epoch().await?;
        if to.since(from) > LONG {
            load::load(&self.pool, &self.log, from, to, self.window, &mut done).await?;
            self.move_to(to).await?;
        }
        while self.reached() < to {
            let at = self.reached();
            let limit = u32::try_from(to.since(at)).unwrap_or(BATCH).min(BATCH);
            let events = self.log.read_after(at, limit).await.map_err(log_failed)?;
            if events.is_empty() {
                return Err(ReplayError::Log("the log ended before its head".into()));
            }
            self.reached = apply::apply_quietly(&self.pool, self.reached, &events).await?;
            done(self.reached().since(from));
        }
        // What was read between the two looks is of one life of the log.
        self.same_epoch().await
    }

    /// Refuses a log that began another life since this replay began.
    pub(crate) async fn same_epoch(&self) -> Result<(), ReplayError> {
        let (began, found) = (
            self.reached.epoch,
            self.log.head().await.map_err(log_failed)?.epoch,
        );
        if began == found {
            return Ok(());
        }
        Err(ReplayError::EpochChanged { began, found })
    }

    async fn move_to(&mut self, to: Position) -> Result<(), ReplayError> {
        let client = self.pool.get().await?;
        let (from, epoch) = (self.reached().to_sql(), self.reached.epoch);
        if !write::move_checkpoint(&client, from, to.to_sql(), epoch).await? {
            return Err(ReplayError::NotEmpty);
        }
        self.reached.position = to.get();
        Ok(())
    }
}

fn log_failed(error: event_store::Error) -> ReplayError {
    ReplayError::Log(error.into())
}
