//! Keeps requests away from a schema this build does not know.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use service::health::Check;
use service::postgres;
use service::problem::Problem;
use tokio_util::sync::CancellationToken;

use crate::projection::Projection;

/// How long until the schema is looked at again, while the database does not answer.
const RETRY: Duration = Duration::from_secs(1);
/// The check's reason meanwhile.
const SILENT: &str = "the read database does not answer";

/// Why a schema is not the one of this build.
#[derive(Debug)]
pub struct SchemaRefused {
    /// What was found.
    pub error: anyhow::Error,
    /// The database did not answer, so that waiting may help.
    pub transient: bool,
}

/// Closed until the database was seen with the schema of this build. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SchemaGate(Arc<AtomicBool>);

impl SchemaGate {
    /// Looks at the schema now, by `look`. An unknown one is an error; a database that does not answer is looked at again
    /// in the background until it does.
    pub async fn watch<L, F>(
        pool: Pool,
        check: Check,
        shutdown: CancellationToken,
        look: L,
    ) -> anyhow::Result<Self>
    where
        L: Fn(Pool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SchemaRefused>> + Send + 'static,
    {
        let gate = Self::default();
        match look(pool.clone()).await {
            Ok(()) => gate.open(&check),
            Err(SchemaRefused { error, transient }) if transient => {
                check.fail(SILENT);
                tracing::warn!(error = %postgres::describe(&*error), "cannot check the schema yet");
                let retrying = gate.clone().open_when_known(pool, check, look);
                tokio::spawn(shutdown.run_until_cancelled_owned(retrying));
            }
            Err(SchemaRefused { error, .. }) => return Err(error),
        }
        Ok(gate)
    }

    /// Whether requests may read; 503 if not.
    pub(crate) fn pass(&self) -> Result<(), Problem> {
        if self.is_open() {
            return Ok(());
        }
        Err(schema_unknown())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Follows the schema of a replica, for ever: open while the replica answers and has the schema of this build. What it has
    /// is no reason to refuse to start, as there are others to read from. `address` is for log lines.
    pub(crate) async fn follow<L, F>(self, pool: Pool, projection: Projection, address: String, look: L)
    where
        L: Fn(Pool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SchemaRefused>> + Send + 'static,
    {
        let mut refusal_logged = false;
        loop {
            projection.found().await;
            match look(pool.clone()).await {
                Ok(()) => {
                    self.0.store(true, Ordering::Release);
                    refusal_logged = false;
                    projection.lost().await;
                    // Another server may come back in its place.
                    self.0.store(false, Ordering::Release);
                }
                Err(SchemaRefused { error, .. }) => {
                    if !std::mem::replace(&mut refusal_logged, true) {
                        tracing::warn!(
                            replica = address,
                            error = %postgres::describe(&*error),
                            "a replica does not have the schema of this build"
                        );
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn open(&self, check: &Check) {
        self.0.store(true, Ordering::Release);
        check.ok();
    }

    /// Once serving, an unknown schema is not fatal: `migrate` may be on its way.
    async fn open_when_known<L, F>(self, pool: Pool, check: Check, look: L)
    where
        L: Fn(Pool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SchemaRefused>> + Send + 'static,
    {
        loop {
            tokio::time::sleep(RETRY).await;
            match look(pool.clone()).await {
                Ok(()) => return self.open(&check),
                // Public: nothing that Postgres said.
                Err(SchemaRefused { transient: true, .. }) => check.fail(SILENT),
                Err(SchemaRefused { error, .. }) => check.fail(error.to_string()),
            }
        }
    }
}

/// 503: the database does not have the schema of this build, or was not seen yet.
pub(crate) fn schema_unknown() -> Problem {
    Problem::unavailable(
        "schema_unknown",
        "Tjenesten er ikke klar ennå. Prøv igjen om litt.",
        "The service is not ready yet. Try again in a moment.",
    )
}
