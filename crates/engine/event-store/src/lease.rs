//! Leadership among instances: a lease in the log's database, by the database's clock.
//!
//! The lease saves work, it does not fence: an instance that was paused can still act as leader after another one took
//! over. The leader's work itself must refuse what a former leader sends.

use std::borrow::Cow;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Error;

/// In how many beats a lease expires that is not renewed.
const BEATS: u32 = 5;

/// What became of one instance's claim to lead.
#[derive(Debug)]
pub enum Standing {
    /// It leads.
    Leads,
    /// It led until now.
    Led,
    /// Another instance leads.
    StandsBy,
    /// The database does not answer.
    Unknown(Error),
}

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

    /// Runs `lead` whenever this instance leads, until `shutdown`, and tells `observe` of every change, and of an outage once. The
    /// token given to `lead` is cancelled when leadership is lost; it is awaited before leadership is sought again.
    pub async fn lead_whenever_possible<Leading>(
        &self,
        shutdown: &CancellationToken,
        observe: impl Fn(Standing),
        lead: impl Fn(CancellationToken) -> Leading,
    ) where
        Leading: Future<Output = ()>,
    {
        let beat = self.lasts / BEATS;
        // Whether the last attempt found another leader, or no database; none after a term of its own.
        let mut reachable = None;
        while !shutdown.is_cancelled() {
            match self.hold().await {
                Ok(true) => {
                    reachable = None;
                    observe(Standing::Leads);
                    // Ends with the shutdown, as a child of it, or with the leadership; the work ends in either case.
                    let term = shutdown.child_token();
                    tokio::join!(lead(term.clone()), self.renew(beat, term));
                    observe(Standing::Led);
                }
                Ok(false) if reachable.replace(true) == Some(true) => {}
                Ok(false) => observe(Standing::StandsBy),
                Err(_) if reachable.replace(false) == Some(false) => {}
                Err(error) => observe(Standing::Unknown(error)),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(beat)).await;
        }
        // The next one need not wait; if this fails it waits until the lease expires.
        let _ = timeout(beat, self.release()).await;
    }

    /// Renews until `term` ends. Ends it as soon as the lease may have expired.
    async fn renew(&self, beat: Duration, term: CancellationToken) {
        let mut expires = Instant::now() + self.lasts;
        while term.run_until_cancelled(tokio::time::sleep(beat)).await.is_some() {
            let asked = Instant::now();
            match timeout_at(expires, self.hold()).await {
                Ok(Ok(true)) => expires = asked + self.lasts,
                Ok(Err(error)) if Instant::now() < expires => {
                    tracing::debug!(error = %error, "the lease could not be renewed yet");
                }
                _ => term.cancel(),
            }
        }
    }
}
