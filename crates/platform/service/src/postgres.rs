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
/// How often [`observe_pool`] publishes the pool's counts.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(1);

/// Declares the flags of a database URL, which is given directly or in a file.
macro_rules! database_url {
    (
        $(#[$doc:meta])*
        $name:ident, $help:literal,
        $flag:literal: $url:ident, $variable:literal,
        $file:ident, $file_name:literal, $file_variable:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Args)]
        #[group(skip)]
        pub struct $name {
            #[doc = $help]
            #[arg(
                long,
                env = $variable,
                value_name = "URL",
                hide_env_values = true,
                required_unless_present = $file_name
            )]
            $url: Option<Secret>,
            /// File that holds that URL instead
            #[arg(long, env = $file_variable, value_name = "FILE")]
            $file: Option<PathBuf>,
        }

        impl $name {
            /// At this URL, whatever the settings are.
            pub fn at(url: &str) -> Self {
                Self {
                    $url: Some(Secret::new(url)),
                    $file: None,
                }
            }

            /// Its URL.
            pub fn url(&self) -> Result<Secret, BadSecret> {
                Secret::required($flag, self.$url.as_ref(), self.$file.as_deref())
            }
        }
    };
}

database_url! {
    /// The database of the log.
    EventsDatabase, "The event database: postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=/path/ca.pem",
    "events-database-url": events_database_url, "EVENTS_DATABASE_URL",
    events_database_url_file, "events_database_url_file", "EVENTS_DATABASE_URL_FILE"
}

database_url! {
    /// The database of the rows.
    ReadDatabase, "The read database: postgres://user:password@host:port/name?sslmode=verify-full&sslrootcert=/path/ca.pem",
    "read-database-url": read_database_url, "READ_DATABASE_URL",
    read_database_url_file, "read_database_url_file", "READ_DATABASE_URL_FILE"
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

/// As [`pool`], with sessions whose commits don't wait for the disk: for data whose last moments a crash of the database
/// may lose, all together.
pub fn async_commit_pool(url: &str, options: &PoolOptions, application_name: &str) -> anyhow::Result<Pool> {
    let database = database(url, options, application_name)?.set(&[("synchronous_commit", "off")]);
    built(&database, options)
}

/// As [`pool`], with the session settings of `database`. Of the options only the size is used.
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

/// The database at `url`, with the time limits and the name of a pool's sessions.
pub fn database(url: &str, options: &PoolOptions, application_name: &str) -> anyhow::Result<Database> {
    Ok(limited(Database::parse(url)?.named(application_name), options))
}

/// A database with the time limits of a pool's sessions.
pub fn limited(database: Database, options: &PoolOptions) -> Database {
    let statement_timeout = format!("{}s", options.db_statement_timeout_s);
    let settings = [
        ("statement_timeout", statement_timeout.as_str()),
        ("idle_in_transaction_session_timeout", "60s"),
    ];
    database.set(&settings)
}

/// Refuses a pooler, whose connections are not sessions of their own. A database that does not answer in time is not
/// refused: the program waits for it later.
pub async fn refuse_pooler(url: &str) -> anyhow::Result<()> {
    let database = Database::parse(url)?.named("service start");
    match tokio::time::timeout(CREATE_TIMEOUT, database.check_sessions()).await {
        Ok(Err(pooled @ NoSession::Pooled(_))) => Err(pooled.into()),
        _ => Ok(()),
    }
}

/// Publishes the pool's size, idle connections and waiting tasks under the given name, until shutdown.
pub fn observe_pool(pool: &Pool, name: &str, shutdown: CancellationToken) {
    let (pool, name) = (pool.clone(), name.to_owned());
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
                ::metrics::gauge!(metric, "pool" => name.clone())
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
    }));
}

/// An error and its causes as one line that is safe to log.
///
/// Of a PostgreSQL error only SQLSTATE and primary message are kept: `detail` and `where` can quote rows.
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
