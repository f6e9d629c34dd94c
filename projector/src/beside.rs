//! Tables beside the live ones: a schema of its own in the read database, built by this build's migrations, which a
//! replay fills. Nobody but the owner of the database can read there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Client, GenericClient, Pool};
use service::postgres::PoolOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::Config;

use crate::load;
use crate::replay::ReplayError;

/// Settings of the sessions that write there. What they lose in a crash is built again, or is flushed with the commit
/// that makes it live; and a build whose client is gone ends within a second.
const SESSION: &str = "-c synchronous_commit=off -c maintenance_work_mem=256MB -c max_parallel_maintenance_workers=0 \
     -c client_connection_check_interval=1s";

/// A schema with empty tables, and a pool that sees nothing else.
pub(crate) struct Beside {
    pub(crate) pool: Pool,
    schema: &'static str,
    indexes: Vec<String>,
}

impl Beside {
    /// Starts afresh: what an earlier attempt left there is dropped. Without the indexes that only readers need.
    pub(crate) async fn create(
        keeper: &Client,
        read_url: &str,
        schema: &'static str,
    ) -> Result<Self, ReplayError> {
        drop_schema(keeper, schema).await?;
        keeper.batch_execute(&format!("create schema {schema}")).await?;
        // The extension's operators, which the indexes are made with, are in `public`.
        let migrating = with_options(read_url, &format!("-c search_path={schema},public"))?;
        read_model::migrate(&migrating).await?;
        // And from here on `public` is out of reach: whatever goes wrong, the live rows are not written to.
        let url = with_options(read_url, &format!("{SESSION} -c search_path={schema}"))?;
        let options = PoolOptions {
            // Each share loads on one connection, and somebody looks at the checkpoint.
            db_pool_size: load::shares() + 1,
            db_statement_timeout_s: 0,
        };
        let pool = service::postgres::pool(&url, &options, "projector beside")
            .map_err(|error| ReplayError::Url(error.to_string()))?;
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

/// The same database with more options for its sessions, whichever of the two forms the URL has.
fn with_options(url: &str, more: &str) -> Result<String, ReplayError> {
    let config: Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| ReplayError::Url(error.to_string()))?;
    let options = format!("{} {more}", config.get_options().unwrap_or_default());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let quoted = options.replace('\\', r"\\").replace('\'', r"\'");
        return Ok(format!("{url} options='{quoted}'"));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let escaped: String = options
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    Ok(format!("{url}{separator}options={escaped}"))
}

#[cfg(test)]
mod tests {
    use super::with_options;
    use tokio_postgres::Config;

    #[test]
    fn options_are_added_to_either_form_of_url_and_to_those_that_are_there() {
        for (url, options) in [
            ("postgres://a:b@c:1/d", " -c search_path=x,public"),
            (
                "postgres://a:b@c:1/d?connect_timeout=3",
                " -c search_path=x,public",
            ),
            (
                "postgresql://c/d?options=-c%20jit%3Doff",
                "-c jit=off -c search_path=x,public",
            ),
            (
                "host=c dbname=d options='-c jit=off'",
                "-c jit=off -c search_path=x,public",
            ),
        ] {
            let Ok(changed) = with_options(url, "-c search_path=x,public") else {
                panic!("{url} is refused")
            };
            let config: Config = changed
                .parse()
                .unwrap_or_else(|error| panic!("{changed}: {error}"));
            assert_eq!(config.get_options(), Some(options), "{changed}");
            assert_eq!(config.get_dbname(), Some("d"));
        }
    }
}
