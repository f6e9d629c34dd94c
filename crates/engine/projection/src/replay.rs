//! The same rows in other tables, straight from the log: to compare with the live rows, and to replace them.

mod error;
mod load;

use deadpool_postgres::Pool;
use envelope::{Fingerprint, Mark, Position};
use event_store::Log;
use service::postgres::PoolOptions;
use uuid::Uuid;

use self::load::Stretch;
use crate::checkpoint::{self, Checkpoint, CheckpointState};
use crate::projection::Projection;
use crate::{apply, log_marks, schema, workers};

pub use self::error::ReplayError;

/// Positions in one window of a worker, by default. Large enough that most aggregates begin and end in one window, and are
/// written once.
pub const WINDOW: u64 = 50_000;
/// Events read and applied at once, on a short stretch.
const BATCH: u32 = 1_000;
/// A longer stretch is loaded by all workers.
const LONG: u64 = 200;

/// Applies the whole log, from position 1 to its present head, to an empty database at `read_url`, whose tables it
/// creates. Needs no NATS. Gives the position reached; compare with [`crate::digest`] of both.
pub async fn replay_into<P: Projection>(
    projection: &P,
    read_url: &str,
    log: &Log,
) -> Result<Position, ReplayError> {
    schema::migrate(projection, read_url).await?;
    let options = PoolOptions {
        db_pool_size: workers::count() + 1,
        db_statement_timeout_s: 0,
    };
    let name = projection.commands().connection("replay");
    let pool = schema::pool(projection, read_url, &options, &name)
        .map_err(|error| ReplayError::Url(error.to_string()))?;
    let head = log.head().await.map_err(ReplayError::log)?;
    let mut replay = Replay::begin(projection.clone(), pool, log.clone(), head.epoch).await?;
    replay.advance(head.position, |_| {}).await?;
    Ok(head.position)
}

/// A replay under way, into tables that no other process writes to. After an error the tables are unusable.
pub(crate) struct Replay<P> {
    projection: P,
    pool: Pool,
    log: Log,
    window: u64,
    reached: Checkpoint,
    /// Of the event reached.
    fingerprint: Option<Fingerprint>,
}

impl<P: Projection> Replay<P> {
    /// At the beginning of the log in this epoch; the tables must be empty.
    pub(crate) async fn begin(projection: P, pool: Pool, log: Log, epoch: Uuid) -> Result<Self, ReplayError> {
        let client = pool.get().await?;
        checkpoint::start(&client, &projection, epoch).await?;
        let reached = checkpoint::read(&client, &projection).await?;
        drop(client);
        let position = Position::START;
        if reached != (Checkpoint { position, epoch }) {
            return Err(ReplayError::NotEmpty);
        }
        Ok(Self {
            projection,
            pool,
            log,
            window: WINDOW,
            reached,
            fingerprint: None,
        })
    }

    /// Reads this many positions at once, at least one.
    pub(crate) fn with_window(mut self, positions: u64) -> Self {
        self.window = positions.max(1);
        self
    }

    /// The last applied position.
    pub(crate) fn reached(&self) -> Position {
        self.reached.position
    }

    /// The last applied event.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            position: self.reached(),
            fingerprint: self.fingerprint,
        }
    }

    /// The epoch of the log that is replayed.
    pub(crate) fn epoch(&self) -> Uuid {
        self.reached.epoch
    }

    /// Whether rows at the same position are at another event than this replay: the log lost events and holds others now.
    pub(crate) fn contradicts(&self, live: &CheckpointState) -> bool {
        let (live, replayed) = (live.mark(), self.mark());
        live.fingerprint.is_some() && live.position == replayed.position && live != replayed
    }

    /// Applies the log up to a position, and reports how many events of this stretch are in.
    pub(crate) async fn advance(
        &mut self,
        to: Position,
        mut done: impl FnMut(u64),
    ) -> Result<(), ReplayError> {
        let from = self.reached();
        self.same_log().await?;
        if to.since(from) > LONG {
            // The log holds this event before and after the load, so all that the workers read is of one log.
            let end = log_marks::at(&self.log, to).await.map_err(ReplayError::log)?;
            let stretch = Stretch {
                from,
                to,
                window: self.window,
            };
            load::load(&self.projection, &self.pool, &self.log, stretch, &mut done).await?;
            self.move_to(end).await?;
        }
        while self.reached() < to {
            let limit = u32::try_from(to.since(self.reached()))
                .unwrap_or(BATCH)
                .min(BATCH);
            let mark = self.mark();
            let (after, limit) = mark.reading(limit);
            let mut page = self.log.read_page(after, limit).await.map_err(ReplayError::log)?;
            mark.prove(&mut page)?;
            let Some(last) = page.events.last() else {
                return Err(ReplayError::Log("the log ended before its head".into()));
            };
            self.fingerprint = Some(Fingerprint::of(last));
            let opened = self.log.open(page.events).await.map_err(ReplayError::log)?;
            self.reached = apply::apply_quietly(&self.projection, &self.pool, self.reached, &opened).await?;
            done(self.reached().since(from));
        }
        // All that was read between the two looks is of one epoch of the log.
        self.same_log().await
    }

    /// Refuses a log that began a new epoch since this replay began, or lost what was read of it.
    pub(crate) async fn same_log(&self) -> Result<(), ReplayError> {
        let (page, proof) = log_marks::look(&self.log, self.mark())
            .await
            .map_err(ReplayError::log)?;
        let (began, found) = (self.epoch(), page.head.epoch);
        if began != found {
            return Err(ReplayError::EpochChanged { began, found });
        }
        Ok(proof?)
    }

    async fn move_to(&mut self, to: Mark) -> Result<(), ReplayError> {
        let client = self.pool.get().await?;
        if !checkpoint::move_to(&client, &self.projection, self.reached, to).await? {
            return Err(ReplayError::NotEmpty);
        }
        self.reached.position = to.position;
        self.fingerprint = to.fingerprint;
        Ok(())
    }
}
