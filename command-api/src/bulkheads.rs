//! Pools of connections that requests cannot take away.

use deadpool_postgres::Pool;
use service::postgres::{self, PoolOptions};
use tokio_util::sync::CancellationToken;

/// Under load, or while a request holds a lock, every connection of the
/// requests' pool may be in use: leadership, delivery and readiness must not change because of that.
pub(crate) struct Bulkheads {
    /// The lease of the leader. One connection: renewals follow each other.
    pub(crate) lease: Pool,
    /// What a leader reads and writes: relay, planner and sealer.
    pub(crate) leading: Pool,
    /// The readiness check.
    pub(crate) health: Pool,
}

impl Bulkheads {
    pub(crate) fn new(
        url: &str,
        options: &PoolOptions,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let pool = |name: &'static str, size| {
            let sized = PoolOptions {
                db_pool_size: size,
                ..options.clone()
            };
            let pool = postgres::pool(url, &sized, &format!("command-api {name}"))?;
            postgres::observe_pool(&pool, name, shutdown.clone());
            anyhow::Ok(pool)
        };
        Ok(Self {
            lease: pool("lease", 1)?,
            leading: pool("leading", 3)?,
            health: pool("health", 1)?,
        })
    }
}
