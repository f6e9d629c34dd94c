//! Which schema this build knows, and bringing a database to it.
//!
//! The schema changes only through `migrate`, run by the owner of the database. A server compares the migrations that
//! were applied with those that it was built with, and refuses a difference: an older schema lacks what its statements
//! name, a newer one may have given a column another meaning.

use std::sync::LazyLock;

use connect::{Database, NoSession};
use deadpool_postgres::Pool;
use query::is_lost;
use refinery::Migration;
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use tracing::{info, warn};

mod embedded {
    refinery::embed_migrations!("src/migrations");
}

const LIST_APPLIED_MIGRATIONS: &str = include_str!("sql/list_applied_migrations.sql");

/// Key of the advisory lock that lets one migration run at a time; the ASCII codes of `readmdl`.
const MIGRATION_LOCK: i64 = 0x0072_6561_646d_646c;

/// Why a schema could not be checked or reached.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database lacks migrations of this build.
    #[error("the read database is at schema {found}, this build needs {needed}: run `projector migrate`")]
    Older {
        /// Version found, 0 for an empty database.
        found: i32,
        /// Newest version this build knows.
        needed: i32,
    },
    /// The database has migrations that this build does not have.
    #[error("the read database is at schema {found}, this build only knows {known}: start a newer build")]
    Newer {
        /// Version found.
        found: i32,
        /// Newest version this build knows.
        known: i32,
    },
    /// A migration was applied with another content than the one this build has.
    #[error("migration {version} of the read database differs from the one in this build")]
    Divergent {
        /// The migration that differs.
        version: i32,
    },
    /// The database's URL, or a file that it names, can't be used.
    #[error(transparent)]
    Url(#[from] connect::BadUrl),
    /// A connection pooler is in the way.
    #[error(transparent)]
    Pooled(NoSession),
    /// No connection could be had.
    #[error("no connection to the read database")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// The database answered with an error.
    #[error("the read database refused")]
    Postgres(#[from] tokio_postgres::Error),
    /// A migration failed; it was rolled back.
    #[error("migrating the read database failed")]
    Migration(#[from] Box<refinery::Error>),
}

impl SchemaError {
    /// Whether waiting can help: the database did not answer, as opposed to holding a schema this build does not know.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Pool(_) => true,
            Self::Postgres(error) => is_lost(error),
            _ => false,
        }
    }
}

/// Applies what is missing, in order, and returns how many migrations were applied.
///
/// Several processes may run it at once: they wait for each other.
pub async fn migrate(url: &str) -> Result<usize, SchemaError> {
    migrate_database(&Database::parse(url)?.named("read-model migrate")).await
}

/// As [`migrate`], in sessions that may be set to another schema than the usual one.
pub async fn migrate_database(database: &Database) -> Result<usize, SchemaError> {
    // A pooler gives the session's lock to others.
    database.check_sessions().await.map_err(|error| match error {
        NoSession::Unavailable(error) => SchemaError::from(error),
        pooled @ NoSession::Pooled(_) => SchemaError::Pooled(pooled),
    })?;
    let (mut client, connection) = database.connect().await?;
    // Ends with the client. The lock below belongs to this session and ends with it on every path.
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            warn!(error = %error, "migration connection ended");
        }
    });
    client
        .execute("select pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let report = embedded::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(Box::new)?;
    for migration in report.applied_migrations() {
        info!(
            version = migration.version(),
            name = migration.name(),
            "migration applied"
        );
    }
    drop(client);
    // The server drops the lock when the session ends; the driver ends after that.
    let _ = driver.await;
    Ok(report.applied_migrations().len())
}

/// Refuses a schema that is not exactly the one this build knows.
pub async fn check_schema(pool: &Pool) -> Result<(), SchemaError> {
    let client = pool.get().await?;
    let applied = applied(&**client).await?;
    compare(&applied, embedded::migrations::runner().get_migrations())
}

/// The newest schema version that this build knows.
pub fn known_schema() -> i32 {
    static KNOWN: LazyLock<i32> = LazyLock::new(|| {
        let known = embedded::migrations::runner();
        let versions = known.get_migrations().iter().map(Migration::version);
        versions.max().unwrap_or(0)
    });
    *KNOWN
}

/// The newest migration that was applied to the tables that `client` sees, if there are any.
pub async fn applied_schema(client: &impl GenericClient) -> Result<Option<i32>, SchemaError> {
    let applied = applied(client).await?;
    Ok(applied.iter().map(|applied| applied.version).max())
}

/// Keeps every migration of this database out until the transaction of `client` ends.
pub async fn hold_migrations(client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
    client
        .execute("select pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map(|_| ())
}

struct Applied {
    version: i32,
    checksum: String,
}

async fn applied(client: &impl GenericClient) -> Result<Vec<Applied>, SchemaError> {
    match client.query(LIST_APPLIED_MIGRATIONS, &[]).await {
        Ok(rows) => rows
            .iter()
            .map(|row| {
                Ok(Applied {
                    version: row.try_get("version")?,
                    checksum: row.try_get("checksum")?,
                })
            })
            .collect(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn compare(applied: &[Applied], known: &[Migration]) -> Result<(), SchemaError> {
    let found = applied.iter().map(|applied| applied.version).max().unwrap_or(0);
    let needed = known.iter().map(Migration::version).max().unwrap_or(0);
    if found > needed {
        return Err(SchemaError::Newer { found, known: needed });
    }
    for migration in known {
        match applied
            .iter()
            .find(|applied| applied.version == migration.version())
        {
            None => return Err(SchemaError::Older { found, needed }),
            Some(applied) if applied.checksum != migration.checksum().to_string() => {
                return Err(SchemaError::Divergent {
                    version: migration.version(),
                });
            }
            Some(_) => {}
        }
    }
    if let Some(unknown) = applied
        .iter()
        .find(|a| known.iter().all(|k| k.version() != a.version))
    {
        return Err(SchemaError::Divergent {
            version: unknown.version,
        });
    }
    Ok(())
}
