//! Tables beside the live ones: a schema of its own in the read database, built by this build's migrations, which a
//! replay fills. Nobody but the owner of the database can read there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Client, GenericClient, Pool};
use service::postgres::{self, PoolOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::load;
use crate::replay::ReplayError;

/// Settings of the sessions that write there. What they lose in a crash is built again, or is flushed with the commit
/// that makes it live; and a build whose client is gone ends within a second.
const SESSION: [(&str, &str); 4] = [
    ("synchronous_commit", "off"),
    ("maintenance_work_mem", "256MB"),
    ("max_parallel_maintenance_workers", "0"),
    ("client_connection_check_interval", "1s"),
];

/// A schema with empty tables, and a pool that sees nothing else.
pub(crate) struct ShadowSchema {
    pub(crate) pool: Pool,
    schema: &'static str,
    indexes: Vec<String>,
}

impl ShadowSchema {
    /// Starts afresh: what an earlier attempt left there is dropped. Without the indexes that only readers need.
    pub(crate) async fn create(
        keeper: &Client,
        read_url: &str,
        schema: &'static str,
    ) -> Result<Self, ReplayError> {
        drop_schema(keeper, schema).await?;
        keeper.batch_execute(&format!("create schema {schema}")).await?;
        // The extension's operators, which the indexes are made with, are in `public`.
        let options = PoolOptions {
            // Each share loads on one connection, and somebody looks at the checkpoint.
            db_pool_size: load::shares() + 1,
            db_statement_timeout_s: 0,
        };
        let unusable = |error: anyhow::Error| ReplayError::Url(format!("{error:#}"));
        let database = postgres::database(read_url, &options, "projector beside").map_err(unusable)?;
        let migrating = format!("{schema},public");
        read_model::migrate_database(&database.clone().set(&[("search_path", &migrating)])).await?;
        // And from here on `public` is out of reach: whatever goes wrong, the live rows are not written to.
        let database = database.set(&SESSION).set(&[("search_path", schema)]);
        let pool = postgres::built(&database, &options).map_err(unusable)?;
        let indexes = take_indexes(&*pool.get().await?, schema).await?;
        Ok(Self {
            pool,
            schema,
            indexes,
        })
    }

    /// How many indexes are to be made.
    pub(crate) fn indexes(&self) -> u64 {
        self.indexes.len() as u64
    }

    /// Makes the indexes that only readers need, several at a time, and says how many there are so far; then counts
    /// what the planner needs to know.
    pub(crate) async fn build_indexes(&mut self, built: impl FnMut(u64)) -> Result<(), ReplayError> {
        let indexes = std::mem::take(&mut self.indexes);
        self.run_all(indexes, built).await?;
        let client = self.pool.get().await?;
        let tables = tables(&client, self.schema).await?;
        drop(client);
        let counts = tables.iter().map(|table| format!("analyze {table}")).collect();
        self.run_all(counts, |_| {}).await
    }

    /// Runs statements, several at a time, and says how many are done.
    async fn run_all(&self, statements: Vec<String>, mut done: impl FnMut(u64)) -> Result<(), ReplayError> {
        let waiting = Arc::new(Mutex::new(VecDeque::from(statements)));
        let (told, mut heard) = mpsc::unbounded_channel();
        let mut workers = JoinSet::new();
        for _ in 0..load::shares() {
            let (pool, waiting, told) = (self.pool.clone(), Arc::clone(&waiting), told.clone());
            workers.spawn(async move {
                let client = pool.get().await?;
                while let Some(statement) = next(&waiting) {
                    client.batch_execute(&statement).await?;
                    // Nobody listens only when the others have failed.
                    let _ = told.send(());
                }
                Ok::<(), ReplayError>(())
            });
        }
        drop(told);
        let mut count = 0;
        while heard.recv().await.is_some() {
            count += 1;
            done(count);
        }
        while let Some(ended) = workers.join_next().await {
            load::joined(ended)??;
        }
        Ok(())
    }
}

fn next(waiting: &Mutex<VecDeque<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Drops the indexes that no constraint needs, and gives the statements that make them again.
async fn take_indexes(
    client: &tokio_postgres::Client,
    schema: &'static str,
) -> Result<Vec<String>, ReplayError> {
    let rows = client
        .query(include_str!("sql/rebuild/list_indexes.sql"), &[&schema])
        .await?;
    let mut statements = Vec::new();
    for row in &rows {
        client.batch_execute(row.try_get("drop")?).await?;
        statements.push(row.try_get("create")?);
    }
    Ok(statements)
}

/// Our tables in a schema, as statements name them; the checkpoints first.
pub(crate) async fn tables(
    client: &impl GenericClient,
    schema: &'static str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = client
        .query(include_str!("sql/rebuild/list_tables.sql"), &[&schema])
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Takes the advisory lock `key` for the session of `keeper`; false if another session has it. It goes with the session,
/// however that ends.
pub(crate) async fn begin_alone(keeper: &Client, key: i64) -> Result<bool, tokio_postgres::Error> {
    let taken = keeper
        .query_one("select pg_try_advisory_lock($1)", &[&key])
        .await?;
    taken.try_get(0)
}

/// Lets go of it at once: that a session ended is noticed a little later, and whoever came meanwhile would be turned away.
pub(crate) async fn end_alone(keeper: &Client, key: i64) {
    if let Err(error) = keeper.execute("select pg_advisory_unlock($1)", &[&key]).await {
        tracing::debug!(%error, "the lock goes with its session");
    }
}

/// Drops such a schema, if it is there.
pub(crate) async fn drop_schema(keeper: &Client, schema: &'static str) -> Result<(), tokio_postgres::Error> {
    keeper
        .batch_execute(&format!("drop schema if exists {schema} cascade"))
        .await
}
