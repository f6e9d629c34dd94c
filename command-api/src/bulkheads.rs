//! Pools of connections that requests cannot take away.

use deadpool_postgres::Pool;
use service::postgres::{self, PoolOptions};
use tokio_util::sync::CancellationToken;

/// Under load, or while a request holds a lock, every connection of the requests' pool may be in use: leadership, delivery
/// and readiness must not change because of that.
pub(crate) struct Bulkheads {
    /// The lease of the leader. One connection: renewals follow each other.
    pub(crate) lease: Pool,
    /// What relay, planner and sealer of a leader read, and what the sealer writes.
    pub(crate) leading: Pool,
    /// Which webhooks were applied: a storm of them must not take the connections of planner and workers.
    pub(crate) inbox: Pool,
    /// The readiness check.
    pub(crate) health: Pool,
}

type Build = fn(&str, &PoolOptions, &str) -> anyhow::Result<Pool>;

impl Bulkheads {
    pub(crate) fn new(
        url: &str,
        options: &PoolOptions,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let pool = |name: &'static str, size, build: Build| {
            let sized = PoolOptions {
                db_pool_size: size,
                ..options.clone()
            };
            let pool = build(url, &sized, &format!("command-api {name}"))?;
            postgres::observe_pool(&pool, name, shutdown.clone());
            anyhow::Ok(pool)
        };
        Ok(Self {
            lease: pool("lease", 1, postgres::pool)?,
            leading: pool("leading", 3, postgres::pool)?,
            inbox: pool("inbox", 2, postgres::async_commit_pool)?,
            health: pool("health", 1, postgres::pool)?,
        })
    }
}
