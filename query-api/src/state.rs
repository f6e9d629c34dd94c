//! What every request shares, and the one way to the database.

use std::time::Instant;

use axum::extract::FromRef;
use deadpool_postgres::Pool;
use read_model::{Page, PageQuery, page};
use service::{auth::Authenticator, problem::Problem};

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
}

impl AppState {
    /// Reads one page.
    pub(crate) async fn read(&self, query: PageQuery) -> Result<Page, Problem> {
        self.schema.pass()?;
        let resource = query.resource.name;
        let begun = Instant::now();
        let outcome = match self.pool.get().await {
            Ok(client) => page::read(&**client, query).await,
            Err(error) => Err(error.into()),
        };
        let label = if outcome.is_ok() { "ok" } else { "failed" };
        ::metrics::histogram!(metrics::READ_SECONDS, "resource" => resource, "outcome" => label)
            .record(begun.elapsed());
        outcome.map_err(|error| failure::problem(&error))
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}
