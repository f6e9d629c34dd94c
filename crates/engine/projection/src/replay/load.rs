//! Many events into tables that are not read yet, by several workers at once.
//!
//! Each worker owns a share of the aggregates and reads the log by itself, a window at a time: it reads the events of the
//! window, folds them into rows, copies new rows in and updates older ones. A worker holds at most two windows (the one in
//! work, and the next, which is read meanwhile), so memory does not grow with the number of aggregates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use envelope::Position;
use event_store::vault::Opened;
use event_store::{Error, Log, Share};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

use super::error::ReplayError;
use crate::projection::Projection;
use crate::{apply, workers};

/// Payload in one window of a worker, before it ends early.
const WINDOW_BYTES: usize = 32 << 20;
/// How often progress is reported.
const TICK: Duration = Duration::from_millis(100);

/// A stretch of the log to load.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) from: Position,
    pub(super) to: Position,
    /// Positions in one window.
    pub(super) window: u64,
}

/// Applies everything after `from` through `to`, and reports how many events are in.
pub(super) async fn load<P: Projection>(
    projection: &P,
    pool: &Pool,
    log: &Log,
    stretch: Stretch,
    mut loaded: impl FnMut(u64),
) -> Result<(), ReplayError> {
    let count = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    let most = if projection.rows_span_aggregates() {
        1
    } else {
        workers::count()
    };
    let of = u32::try_from(most.min(log.most_readers())).unwrap_or(1);
    for index in 0..of {
        let worker = Worker {
            projection: projection.clone(),
            pool: pool.clone(),
            log: log.clone(),
            share: Share { index, of },
            stretch,
            count: Arc::clone(&count),
        };
        running.spawn(worker.run());
    }
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            done = running.join_next() => match done {
                Some(done) => joined(done)??,
                None => break,
            },
            _ = ticks.tick() => loaded(count.load(Ordering::Relaxed)),
        }
    }
    // A share does not see the positions of the others. Their sum proves that none is missing.
    let Stretch { from, to, .. } = stretch;
    let (events, due) = (count.load(Ordering::Relaxed), to.since(from));
    loaded(events);
    if events == due {
        return Ok(());
    }
    let found = format!("the log holds {events} events after {from} through {to}, where {due} are due");
    Err(ReplayError::log(Error::Broken(found)))
}

fn joined<T>(done: Result<T, tokio::task::JoinError>) -> Result<T, ReplayError> {
    workers::joined(done).map_err(|error| ReplayError::Log(error.into()))
}

struct Worker<P> {
    projection: P,
    pool: Pool,
    log: Log,
    share: Share,
    stretch: Stretch,
    count: Arc<AtomicU64>,
}

impl<P: Projection> Worker<P> {
    async fn run(self) -> Result<(), ReplayError> {
        let mut client = self.pool.get().await?;
        let mut next = self.read(self.stretch.from);
        loop {
            let (events, at) = joined(next.await)?.map_err(ReplayError::log)?;
            next = self.read(at);
            let count = events.events().len() as u64;
            apply::load(&self.projection, &mut client, events).await?;
            self.count.fetch_add(count, Ordering::Relaxed);
            if at >= self.stretch.to {
                return Ok(());
            }
        }
    }

    /// Begins to read the next window, which is empty at the end.
    fn read(&self, after: Position) -> AbortOnDropHandle<Result<(Opened, Position), Error>> {
        let (log, share, stretch) = (self.log.clone(), self.share, self.stretch);
        let through = stretch.to.min(Position::new(after.get() + stretch.window));
        let reading = async move {
            let run = log.read_share(share, after, through, WINDOW_BYTES).await?;
            Ok((log.open(run.events).await?, run.through))
        };
        AbortOnDropHandle::new(tokio::spawn(reading))
    }
}
