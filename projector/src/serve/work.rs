//! The work of one projection: it is watched from the beginning, and follows the log once the schemas are known.

use deadpool_postgres::Pool;
use envelope::Position;
use event_bus::{Connection, StreamConfig};
use event_store::Log;
use projection::parked::{count_retries, retry_untried};
use projection::{Follower, Migrations, Parts, Projection, Watched, watch};
use service::health::Check;
use service::postgres::PoolOptions;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use crate::config::ProjectionName;

/// What the projections share.
pub(super) struct Shared {
    pub(super) read_url: String,
    pub(super) log: Log,
    pub(super) bus: Connection,
    pub(super) stream: String,
    pub(super) shutdown: CancellationToken,
}

/// The work of one projection, which does not follow the log yet.
pub(super) struct Work<P> {
    projection: P,
    name: ProjectionName,
    read: Pool,
    check: Check,
    check_stream: Check,
}

impl<P: Projection> Work<P> {
    /// Opens its pool, named so in metrics, and begins to watch it. The checks are those of the projection, of the stream,
    /// of the read database and of the event database.
    pub(super) fn begin(
        projection: P,
        name: ProjectionName,
        pool: &'static str,
        [check, check_stream, check_read, check_events]: [Check; 4],
        options: &PoolOptions,
        shared: &Shared,
    ) -> anyhow::Result<Self> {
        let read = projection::async_commit_pool(&projection, &shared.read_url, options, "projector")?;
        service::postgres::observe_pool(&read, pool, shared.shutdown.clone());
        let watched = Watched {
            projection: projection.clone(),
            read: read.clone(),
            log: shared.log.clone(),
            bus: shared.bus.clone(),
            stream: shared.stream.clone(),
            check_read,
            check_events,
        };
        tokio::spawn(watch(watched, shared.shutdown.clone()));
        Ok(Self {
            projection,
            name,
            read,
            check,
            check_stream,
        })
    }

    /// Its migrations, and the pool that finds its tables.
    pub(super) fn migrations(&self) -> (&'static Migrations, &Pool) {
        (self.projection.migrations(), &self.read)
    }

    /// What follows the log for it. Its parked events are retried meanwhile.
    pub(super) fn follow(
        self,
        stream: StreamConfig,
        head_watch: Receiver<Position>,
        shared: &Shared,
    ) -> anyhow::Result<Follower<P>> {
        let shutdown = &shared.shutdown;
        let counting = count_retries(&self.projection, &shared.read_url)?;
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(counting));
        tokio::spawn(retry_untried(
            self.projection.clone(),
            self.read.clone(),
            shared.log.clone(),
            shutdown.clone(),
        ));
        Ok(Follower::new(Parts {
            projection: self.projection,
            read: self.read,
            read_url: shared.read_url.clone(),
            log: shared.log.clone(),
            head_watch,
            bus: shared.bus.clone(),
            stream,
            subscription: self.name.subscription(),
            check: self.check,
            check_stream: self.check_stream,
        }))
    }
}
