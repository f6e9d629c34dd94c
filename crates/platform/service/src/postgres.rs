//! The one way to get a PostgreSQL pool, with every wait bounded, and the part of a PostgreSQL error that may be logged.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use connect::{Database, NoSession};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::error::DbError;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::secret::{BadSecret, Secret};

/// How long to wait for a free connection before the request is refused.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long opening a connection may take, login included.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often [`observe_pool`] looks at the pool.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// Where the log is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct EventsDatabase {
    /// The event database: postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=/path/ca.pem
    #[arg(
        long,
        env = "EVENTS_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        required_unless_present = "events_database_url_file"
    )]
    events_database_url: Option<Secret>,
    /// File that holds that URL instead
    #[arg(long, env = "EVENTS_DATABASE_URL_FILE", value_name = "FILE")]
    events_database_url_file: Option<PathBuf>,
}

impl EventsDatabase {
    /// At this URL, whatever the settings are.
    pub fn at(url: &str) -> Self {
        Self {
            events_database_url: Some(Secret::new(url)),
            events_database_url_file: None,
        }
    }

    /// Its URL.
    pub fn url(&self) -> Result<Secret, BadSecret> {
        let file = self.events_database_url_file.as_deref();
        Secret::required("events-database-url", self.events_database_url.as_ref(), file)
    }
}

/// Where the rows are.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ReadDatabase {
    /// The read database: postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=/path/ca.pem
    #[arg(
        long,
        env = "READ_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        required_unless_present = "read_database_url_file"
    )]
    read_database_url: Option<Secret>,
    /// File that holds that URL instead
    #[arg(long, env = "READ_DATABASE_URL_FILE", value_name = "FILE")]
    read_database_url_file: Option<PathBuf>,
}

impl ReadDatabase {
    /// At this URL, whatever the settings are.
    pub fn at(url: &str) -> Self {
        Self {
            read_database_url: Some(Secret::new(url)),
            read_database_url_file: None,
        }
    }

    /// Its URL.
    pub fn url(&self) -> Result<Secret, BadSecret> {
        let file = self.read_database_url_file.as_deref();
        Secret::required("read-database-url", self.read_database_url.as_ref(), file)
    }
}

/// Size and limits of a pool.
#[derive(Debug, Clone, Args)]
pub struct PoolOptions {
    /// The most connections to one database
    #[arg(long, env = "DB_POOL_SIZE", default_value_t = Self::SIZE, value_name = "COUNT")]
    pub db_pool_size: usize,
    /// Seconds a single SQL statement may run before Postgres cancels it; 0 for no limit
    #[arg(long, env = "DB_STATEMENT_TIMEOUT_S", default_value_t = Self::STATEMENT_TIMEOUT_S, value_name = "SECONDS")]
    pub db_statement_timeout_s: u32,
}

impl PoolOptions {
    const SIZE: usize = 8;
    const STATEMENT_TIMEOUT_S: u32 = 30;
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            db_pool_size: Self::SIZE,
            db_statement_timeout_s: Self::STATEMENT_TIMEOUT_S,
        }
    }
}

/// A pool that connects when first used; only a URL that can't be used is an error here.
///
/// A connection returns to the pool without a reset of its session, so callers set session state with `set local` only.
pub fn pool(url: &str, options: &PoolOptions, application_name: &str) -> anyhow::Result<Pool> {
    built(&database(url, options, application_name)?, options)
}

/// As [`pool`], with sessions whose commits don't wait for the disk: for what a crash of the database may forget the
/// last moments of, as long as it forgets them together.
pub fn async_commit_pool(url: &str, options: &PoolOptions, application_name: &str) -> anyhow::Result<Pool> {
    let database = database(url, options, application_name)?.set(&[("synchronous_commit", "off")]);
    built(&database, options)
}

/// As [`pool`], with sessions as `database` has them; of the options only the size counts.
pub fn built(database: &Database, options: &PoolOptions) -> anyhow::Result<Pool> {
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(
        database.config().clone(),
        database.protection().clone(),
        recycling,
    );
    Pool::builder(manager)
        .max_size(options.db_pool_size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        .recycle_timeout(Some(CREATE_TIMEOUT))
        .build()
        .context("cannot build the database pool")
}

/// The database at `url`, with the bounds and the name that sessions of a pool have.
pub fn database(url: &str, options: &PoolOptions, application_name: &str) -> anyhow::Result<Database> {
    let statement_timeout = format!("{}s", options.db_statement_timeout_s);
    let settings = [
        ("statement_timeout", statement_timeout.as_str()),
        ("idle_in_transaction_session_timeout", "60s"),
    ];
    Ok(Database::parse(url)?.named(application_name).set(&settings))
}

/// Refuses a database whose connections are not sessions of their own, as those of a pooler are not. One that does not
/// answer in time is not refused: who uses it waits for it anyway.
pub async fn refuse_pooler(url: &str) -> anyhow::Result<()> {
    let database = Database::parse(url)?.named("service start");
    match tokio::time::timeout(CREATE_TIMEOUT, database.check_sessions()).await {
        Ok(Err(pooled @ NoSession::Pooled(_))) => Err(pooled.into()),
        _ => Ok(()),
    }
}

/// Publishes the pool's size, idle connections and waiting tasks under the given name, until shutdown.
pub fn observe_pool(pool: &Pool, name: &'static str, shutdown: CancellationToken) {
    let pool = pool.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut ticks = tokio::time::interval(OBSERVE_INTERVAL);
        loop {
            ticks.tick().await;
            let status = pool.status();
            for (metric, count) in [
                (metrics::POOL_SIZE, status.size),
                (metrics::POOL_AVAILABLE, status.available),
                (metrics::POOL_WAITING, status.waiting),
            ] {
                // A pool's counts are far below 2^32.
                ::metrics::gauge!(metric, "pool" => name)
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
    }));
}

/// An error and its causes as one line that is safe to log.
///
/// Of what a Postgres server said only SQLSTATE and primary message are kept: `detail` and `where` can quote rows.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(server) = as_server_error(error) {
            // An outer error may have quoted the server's whole text already.
            let (full, safe) = (
                server.to_string(),
                format!("{}: {}", server.code().code(), server.message()),
            );
            for part in &mut parts {
                *part = part.replace(&full, &safe);
            }
            parts.push(safe);
            break;
        }
        parts.push(error.to_string());
        next = error.source();
    }
    // Many errors quote their cause, which would repeat it.
    parts.dedup_by(|inner, outer| outer.ends_with(inner.as_str()));
    parts.join(": ")
}

fn as_server_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a DbError> {
    match error.downcast_ref::<tokio_postgres::Error>() {
        Some(error) => error.as_db_error(),
        None => error.downcast_ref::<DbError>(),
    }
}
