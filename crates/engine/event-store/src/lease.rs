//! Leadership among instances: a lease in the log's database, by the database's clock.
//!
//! The lease saves work, it does not fence: an instance that was paused can still act as leader after another one took
//! over. The leader's work itself must refuse what a former leader sends.

use std::borrow::Cow;
use std::time::Duration;

use deadpool_postgres::Pool;
use uuid::Uuid;

use crate::error::Error;

/// One instance's claim to one lease.
#[derive(Clone)]
pub struct Lease {
    pool: Pool,
    name: Cow<'static, str>,
    owner: Uuid,
    lasts: Duration,
}

impl Lease {
    /// A new instance's claim to the lease `name`, which expires after `lasts` unless it is renewed.
    pub fn new(pool: Pool, name: impl Into<Cow<'static, str>>, lasts: Duration) -> Self {
        Self {
            pool,
            name: name.into(),
            owner: Uuid::now_v7(),
            lasts,
        }
    }

    /// Takes a free or expired lease, or renews this instance's own. Returns whether this instance holds it now.
    pub async fn hold(&self) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(include_str!("sql/hold_lease.sql")).await?;
        let held = client
            .query(&statement, &[&self.name, &self.owner, &self.lasts.as_secs_f64()])
            .await?;
        Ok(!held.is_empty())
    }

    /// Releases the lease if this instance holds it, so that another instance can take it at once.
    pub async fn release(&self) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("sql/release_lease.sql"))
            .await?;
        client.execute(&statement, &[&self.name, &self.owner]).await?;
        Ok(())
    }
}
