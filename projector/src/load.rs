//! Many events into tables that nobody reads yet, by several workers at once.
//!
//! Each worker owns a share of the aggregates and goes along the log by itself, a window at a time: reads its events,
//! folds them into rows, copies the new ones in and writes the older ones again. What it holds at once is two windows
//! (the one it works on and the next, which is read meanwhile), however many aggregates the log has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use envelope::Position;
use event_store::{Log, Share, ShareRun};
use tokio::task::{JoinError, JoinSet};
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

use crate::apply;
use crate::replay::ReplayError;

/// Positions in one window, unless another number is asked for. Large enough that most aggregates live in one, and are
/// written once.
pub(crate) const WINDOW: u64 = 50_000;
/// Payload in one window of a worker, before it ends early.
const WINDOW_BYTES: usize = 32 << 20;
/// How often it is said how far all have come.
const TICK: Duration = Duration::from_millis(100);

/// How many workers: one a core, within reason.
pub(crate) fn shares() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 8)
}

/// Applies everything after `from` through `to`, and says now and then how many events are in.
pub(crate) async fn load(
    pool: &Pool,
    log: &Log,
    from: Position,
    to: Position,
    window: u64,
    mut loaded: impl FnMut(u64),
) -> Result<(), ReplayError> {
    let count = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let of = u32::try_from(shares().min(log.most_readers())).unwrap_or(1);
    for index in 0..of {
        let worker = Worker {
            pool: pool.clone(),
            log: log.clone(),
            share: Share { index, of },
            to,
            window,
            count: Arc::clone(&count),
        };
        workers.spawn(worker.run(from));
    }
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            done = workers.join_next() => match done {
                Some(done) => joined(done)??,
                None => break,
            },
            _ = ticks.tick() => loaded(count.load(Ordering::Relaxed)),
        }
    }
    // No share sees the others' positions; together they are all there, or some are missing.
    let (events, due) = (count.load(Ordering::Relaxed), to.since(from));
    loaded(events);
    if events == due {
        return Ok(());
    }
    let found = format!("the log holds {events} events after {from} through {to}, where {due} are due");
    Err(ReplayError::Log(event_store::Error::Broken(found).into()))
}

/// What a task gave; a panic goes on here.
pub(crate) fn joined<T>(done: Result<T, JoinError>) -> Result<T, ReplayError> {
    done.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => ReplayError::Log(error.into()),
    })
}

struct Worker {
    pool: Pool,
    log: Log,
    share: Share,
    to: Position,
    window: u64,
    count: Arc<AtomicU64>,
}

impl Worker {
    async fn run(self, from: Position) -> Result<(), ReplayError> {
        let mut client = self.pool.get().await?;
        let mut next = self.read(from);
        loop {
            let run = joined(next.await)?.map_err(|error| ReplayError::Log(error.into()))?;
            let at = run.through;
            next = self.read(at);
            apply::load(&mut client, &run.events).await?;
            self.count.fetch_add(run.events.len() as u64, Ordering::Relaxed);
            if at >= self.to {
                return Ok(());
            }
        }
    }

    /// Begins to read the next window, which is empty at the end.
    fn read(&self, after: Position) -> AbortOnDropHandle<Result<ShareRun, event_store::Error>> {
        let (log, share) = (self.log.clone(), self.share);
        let through = self.to.min(Position::new(after.get() + self.window));
        let reading = async move { log.read_share(share, after, through, WINDOW_BYTES).await };
        AbortOnDropHandle::new(tokio::spawn(reading))
    }
}
