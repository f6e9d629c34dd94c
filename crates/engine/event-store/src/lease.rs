//! Leadership among instances: a lease in the log's database, by its clock.
//!
//! It keeps instances from doing the same work, no more: one that was paused may still believe to lead when another
//! does. What keeps that from doing harm has to be elsewhere, in what the work itself refuses.

use std::time::Duration;

use deadpool_postgres::Pool;
use uuid::Uuid;

use crate::Error;

/// One instance's claim to one lease.
#[derive(Clone)]
pub struct Lease {
    pool: Pool,
    name: &'static str,
    holder: Uuid,
    lasts: Duration,
}

impl Lease {
    /// A claim of a new instance to the lease `name`, which `lasts` that long when it is not renewed.
    pub fn new(pool: Pool, name: &'static str, lasts: Duration) -> Self {
        Self {
            pool,
            name,
            holder: Uuid::now_v7(),
            lasts,
        }
    }

    /// Takes, renews, or takes over a lease that ran out. Whether this instance holds it now.
    pub async fn hold(&self) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(include_str!("sql/hold_lease.sql")).await?;
        let held = client
            .query(&statement, &[&self.name, &self.holder, &self.lasts.as_secs_f64()])
            .await?;
        Ok(!held.is_empty())
    }

    /// Gives it up, if this instance holds it, so that another need not wait until it runs out.
    pub async fn release(&self) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("sql/release_lease.sql"))
            .await?;
        client.execute(&statement, &[&self.name, &self.holder]).await?;
        Ok(())
    }
}
