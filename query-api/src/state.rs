//! What every request shares, and the one way to the database.

use std::time::{Duration, Instant};

use axum::extract::FromRef;
use deadpool_postgres::Pool;
use read_model::{Error, Page, PageQuery, page};
use service::auth::Authenticator;
use service::problem::Problem;

use crate::{Cursors, Projection, SchemaGate, failure, metrics};

/// What every request shares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Connections that can only select.
    pub pool: Pool,
    /// Whether the database has the schema of this build.
    pub schema: SchemaGate,
    /// How far the rows have come.
    pub projection: Projection,
    /// Makes and checks page cursors.
    pub cursors: Cursors,
    /// Says who is asking.
    pub authenticator: Authenticator,
    /// How long a read may take in all. More than the database's own limit, for when it can't keep that.
    pub patience: Duration,
}

impl AppState {
    /// Reads one page.
    pub(crate) async fn read(&self, query: PageQuery) -> Result<Page, Problem> {
        self.schema.pass()?;
        let resource = query.resource.name;
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.patience, self.read_patiently(query)).await;
        let label = if matches!(outcome, Ok(Ok(_))) {
            "ok"
        } else {
            "failed"
        };
        ::metrics::histogram!(metrics::READ_SECONDS, "resource" => resource, "outcome" => label)
            .record(begun.elapsed());
        match outcome {
            Ok(outcome) => outcome.map_err(|error| failure::problem(&error)),
            Err(_) => Err(failure::silence()),
        }
    }

    async fn read_patiently(&self, query: PageQuery) -> Result<Page, Error> {
        let client = self.pool.get().await?;
        page::read(&**client, query).await
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}
