//! Keeps requests away from a schema this build does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use read_model::{SchemaError, check_schema};
use service::health::Check;
use service::postgres;
use service::problem::Problem;
use tokio_util::sync::CancellationToken;

/// How long until the schema is looked at again, while the database does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Closed until the database has been seen to have the schema of this build. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SchemaGate(Arc<AtomicBool>);

impl SchemaGate {
    /// Looks at the schema now. An unknown one is an error; a database that does not answer is looked at again in the
    /// background until it does.
    pub async fn watch(pool: Pool, check: Check, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let gate = Self::default();
        match check_schema(&pool).await {
            Ok(()) => gate.open(&check),
            Err(error) if error.is_transient() => {
                check.fail("the read database does not answer");
                tracing::warn!(error = %postgres::describe(&error), "cannot check the schema yet");
                let retrying = gate.clone().open_when_known(pool, check);
                tokio::spawn(shutdown.run_until_cancelled_owned(retrying));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(gate)
    }

    /// Lets a request through, or says why not.
    pub fn pass(&self) -> Result<(), Problem> {
        if self.0.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Problem::unavailable(
            "schema_unknown",
            "Tjenesten er ikke klar ennå. Prøv igjen om litt.",
            "The service is not ready yet. Try again in a moment.",
        ))
    }

    fn open(&self, check: &Check) {
        self.0.store(true, Ordering::Release);
        check.ok();
    }

    /// Once serving, an unknown schema is not fatal: `migrate` may be on its way.
    async fn open_when_known(self, pool: Pool, check: Check) {
        loop {
            tokio::time::sleep(RETRY).await;
            match check_schema(&pool).await {
                Ok(()) => return self.open(&check),
                Err(error) => check.fail(reason(&error)),
            }
        }
    }
}

/// Public, so nothing that Postgres said.
fn reason(error: &SchemaError) -> String {
    if error.is_transient() {
        "the read database does not answer".to_owned()
    } else {
        error.to_string()
    }
}
