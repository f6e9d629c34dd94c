//! A shadow schema: the tables of a projection a second time, in a schema of their own in the read database. This build's
//! migrations create them and a replay fills them. Only the owner of the database can read them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Client, GenericClient, Pool};
use service::postgres::{self, PoolOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::Error;

use crate::projection::Projection;
use crate::replay::ReplayError;
use crate::schema::{self, quoted};
use crate::workers;

/// Settings of the sessions that write to a shadow schema. Commits that a crash loses are rebuilt, or are flushed with the
/// commit that makes the tables live. A statement whose client is gone ends within a second.
const SESSION: [(&str, &str); 4] = [
    ("synchronous_commit", "off"),
    ("maintenance_work_mem", "256MB"),
    ("max_parallel_maintenance_workers", "0"),
    ("client_connection_check_interval", "1s"),
];

/// A schema with empty tables, and a pool that sees nothing else.
pub(crate) struct ShadowSchema {
    pub(crate) pool: Pool,
    schema: String,
    indexes: Vec<String>,
}

impl ShadowSchema {
    /// Drops the schema if an earlier attempt left it, and creates it with empty tables, without the indexes that only
    /// readers need.
    pub(crate) async fn create(
        projection: &impl Projection,
        keeper: &Client,
        read_url: &str,
        schema: &str,
    ) -> Result<Self, ReplayError> {
        drop_schema(keeper, schema).await?;
        let options = PoolOptions {
            // One connection per worker, and one for the checkpoint.
            db_pool_size: workers::count() + 1,
            db_statement_timeout_s: 0,
        };
        let unusable = |error: anyhow::Error| ReplayError::Url(format!("{error:#}"));
        let name = projection.commands().connection("shadow");
        let database = postgres::database(read_url, &options, &name).map_err(unusable)?;
        schema::create(projection, &database, schema).await?;
        // No other schema is in reach, so the live rows are never written to.
        let database = database.set(&SESSION).set(&[("search_path", &quoted(schema))]);
        let pool = postgres::built(&database, &options).map_err(unusable)?;
        let indexes = take_indexes(&pool.get().await?, schema).await?;
        Ok(Self {
            pool,
            schema: schema.to_owned(),
            indexes,
        })
    }

    /// How many indexes [`Self::build_indexes`] creates.
    pub(crate) fn indexes(&self) -> u64 {
        self.indexes.len() as u64
    }

    /// Creates the indexes that only readers need, several at a time, and reports how many exist; then analyzes the tables.
    pub(crate) async fn build_indexes(&mut self, built: impl FnMut(u64)) -> Result<(), ReplayError> {
        let indexes = std::mem::take(&mut self.indexes);
        self.run_all(indexes, built).await?;
        let client = self.pool.get().await?;
        let tables = tables(&client, &self.schema).await?;
        drop(client);
        let counts = tables.iter().map(|table| format!("analyze {table}")).collect();
        self.run_all(counts, |_| {}).await
    }

    /// Runs statements, several at a time, and reports how many are done.
    async fn run_all(&self, statements: Vec<String>, mut done: impl FnMut(u64)) -> Result<(), ReplayError> {
        let waiting = Arc::new(Mutex::new(VecDeque::from(statements)));
        let (report, mut reports) = mpsc::unbounded_channel();
        let mut running = JoinSet::new();
        for _ in 0..workers::count() {
            let (pool, waiting, report) = (self.pool.clone(), Arc::clone(&waiting), report.clone());
            running.spawn(async move {
                let client = pool.get().await?;
                while let Some(statement) = next(&waiting) {
                    client.batch_execute(&statement).await?;
                    // The receiver is gone only when another worker has failed.
                    let _ = report.send(());
                }
                Ok::<(), ReplayError>(())
            });
        }
        drop(report);
        let mut count = 0;
        while reports.recv().await.is_some() {
            count += 1;
            done(count);
        }
        while let Some(ended) = running.join_next().await {
            workers::joined(ended).map_err(|error| ReplayError::Log(error.into()))??;
        }
        Ok(())
    }
}

fn next(waiting: &Mutex<VecDeque<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Drops the indexes that no constraint needs, and gives the statements that create them.
async fn take_indexes(client: &Client, schema: &str) -> Result<Vec<String>, ReplayError> {
    let rows = client
        .query(include_str!("sql/list_indexes.sql"), &[&schema])
        .await?;
    let mut statements = Vec::new();
    for row in &rows {
        client.batch_execute(row.try_get("drop")?).await?;
        statements.push(row.try_get("create")?);
    }
    Ok(statements)
}

/// The projection's tables in a schema, as statements name them; the checkpoints first.
pub(crate) async fn tables(client: &impl GenericClient, schema: &str) -> Result<Vec<String>, Error> {
    let rows = client
        .query(include_str!("sql/list_tables.sql"), &[&schema])
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Takes the advisory lock `key` for the session of `keeper`; false if another session has it. The lock ends with the
/// session.
pub(crate) async fn begin_alone(keeper: &Client, key: i64) -> Result<bool, Error> {
    let taken = keeper
        .query_one("select pg_try_advisory_lock($1)", &[&key])
        .await?;
    taken.try_get(0)
}

/// Releases the lock at once. The end of the session would release it a little later, and refuse a command that follows.
pub(crate) async fn end_alone(keeper: &Client, key: i64) {
    if let Err(error) = keeper.execute("select pg_advisory_unlock($1)", &[&key]).await {
        tracing::debug!(%error, "the lock ends with its session");
    }
}

/// Drops a schema if it exists.
pub(crate) async fn drop_schema(keeper: &Client, schema: &str) -> Result<(), Error> {
    let schema = quoted(schema);
    keeper
        .batch_execute(&format!("drop schema if exists {schema} cascade"))
        .await
}
