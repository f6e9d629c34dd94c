//! The same rows elsewhere, straight from the log: to compare with, and to put in the place of the live ones.

use deadpool_postgres::{Pool, PoolError};
use envelope::{Contradiction, Fingerprint, LogError, Mark, Position};
use event_store::Log;
use read_model::{Checkpoint, SchemaError, checkpoint, write};
use service::postgres::PoolOptions;
use uuid::Uuid;

use crate::apply::{self, ApplyError};
use crate::{load, mark};

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
    /// The log lost events that this replay had read of it.
    #[error("{0}")]
    Contradicted(#[from] Contradiction),
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
    /// Of the event reached.
    fingerprint: Option<Fingerprint>,
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
            fingerprint: None,
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

    /// The event that it has come to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            position: self.reached(),
            fingerprint: self.fingerprint,
        }
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
        self.same_log().await?;
        if to.since(from) > LONG {
            // If the log holds this event before and after, all that was read between is of one log, whoever read it.
            let end = mark::at(&self.log, to).await.map_err(log_failed)?;
            load::load(&self.pool, &self.log, from, to, self.window, &mut done).await?;
            self.move_to(end).await?;
        }
        while self.reached() < to {
            let at = self.reached();
            let limit = u32::try_from(to.since(at)).unwrap_or(BATCH).min(BATCH);
            let mark = self.mark();
            let (after, limit) = mark.reading(limit);
            let mut page = self.log.read_page(after, limit).await.map_err(log_failed)?;
            mark.prove(&mut page)?;
            let Some(last) = page.events.last() else {
                return Err(ReplayError::Log("the log ended before its head".into()));
            };
            self.fingerprint = Some(Fingerprint::of(last));
            self.reached = apply::apply_quietly(&self.pool, self.reached, &page.events).await?;
            done(self.reached().since(from));
        }
        // What was read between the two looks is of one life of the log.
        self.same_log().await
    }

    /// Refuses a log that began another life since this replay began, or lost what was read of it.
    pub(crate) async fn same_log(&self) -> Result<(), ReplayError> {
        let (page, proof) = mark::look(&self.log, self.mark()).await.map_err(log_failed)?;
        let (began, found) = (self.reached.epoch, page.head.epoch);
        if began != found {
            return Err(ReplayError::EpochChanged { began, found });
        }
        Ok(proof?)
    }

    async fn move_to(&mut self, to: Mark) -> Result<(), ReplayError> {
        let client = self.pool.get().await?;
        let (from, epoch) = (self.reached().to_sql(), self.reached.epoch);
        let fingerprint = to.fingerprint.as_ref().map(Fingerprint::bytes);
        if !write::move_checkpoint(&client, from, to.position.to_sql(), epoch, fingerprint).await? {
            return Err(ReplayError::NotEmpty);
        }
        self.reached.position = to.position.get();
        self.fingerprint = to.fingerprint;
        Ok(())
    }
}

fn log_failed(error: event_store::Error) -> ReplayError {
    ReplayError::Log(error.into())
}
