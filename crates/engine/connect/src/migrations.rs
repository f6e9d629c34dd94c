//! Which schema a build knows, and bringing a database to it.
//!
//! A schema changes only through `migrate`, run by the owner of the database. A server compares the applied migrations
//! with those of its build and refuses to start when they differ: an older schema lacks what its statements name, a newer
//! one may have given a column another meaning.

use std::error::Error as _;
use std::io;
use std::sync::OnceLock;

use deadpool_postgres::{Pool, PoolError};
use refinery::{Migration, Runner};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, GenericClient};
use tracing::{info, warn};

use crate::database::{BadUrl, Database};
use crate::sessions::NoSession;

/// The numbered migrations of one set of tables.
#[derive(Debug)]
pub struct Migrations {
    /// What messages call the database, for example `the read database`.
    database: &'static str,
    /// The command that applies the migrations, for messages.
    command: &'static str,
    /// Key of the advisory lock under which one process migrates at a time.
    lock: i64,
    runner: fn() -> Runner,
    newest: OnceLock<i32>,
}

/// Why a schema could not be checked or reached.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database lacks migrations of this build.
    #[error("{database} is at schema {found}, this build needs {needed}: run `{command}`")]
    Older {
        /// The database, for people.
        database: &'static str,
        /// The command that applies the migrations.
        command: &'static str,
        /// Version found, 0 for an empty database.
        found: i32,
        /// Newest version that this build knows.
        needed: i32,
    },
    /// The database has migrations that this build does not have.
    #[error("{database} is at schema {found}, this build only knows {known}: start a newer build")]
    Newer {
        /// The database, for people.
        database: &'static str,
        /// Version found.
        found: i32,
        /// Newest version that this build knows.
        known: i32,
    },
    /// A migration was applied with another content than the one in this build.
    #[error("migration {version} of {database} differs from the one in this build")]
    Divergent {
        /// The database, for people.
        database: &'static str,
        /// The migration that differs.
        version: i32,
    },
    /// The database's URL, or a file that it names, can't be used.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// A connection pooler is in the way.
    #[error(transparent)]
    Pooled(NoSession),
    /// The pool gave no connection.
    #[error("no connection to the database")]
    Pool(#[from] PoolError),
    /// The database answered with an error.
    #[error("the database refused")]
    Postgres(#[from] Error),
    /// A migration failed; it was rolled back.
    #[error("migrating {database} failed")]
    Migration {
        /// The database, for people.
        database: &'static str,
        /// Which migration, and why.
        source: Box<refinery::Error>,
    },
}

impl SchemaError {
    /// Whether waiting can help: the database did not answer, as opposed to holding a schema that this build does not
    /// know.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Pool(_) => true,
            Self::Postgres(error) => is_lost(error),
            _ => false,
        }
    }
}

impl Migrations {
    /// The migrations of `runner`. `database` and `command` are for messages; `lock` is the key of the advisory lock.
    pub const fn new(
        database: &'static str,
        command: &'static str,
        lock: i64,
        runner: fn() -> Runner,
    ) -> Self {
        Self {
            database,
            command,
            lock,
            runner,
            newest: OnceLock::new(),
        }
    }

    /// The newest version that this build knows.
    pub fn newest(&self) -> i32 {
        *self
            .newest
            .get_or_init(|| newest((self.runner)().get_migrations()))
    }

    /// The command that applies the migrations, for messages.
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// Applies the missing migrations in order and returns their count. Several processes may run this at once: each
    /// waits for the one before.
    pub async fn migrate(&self, database: &Database) -> Result<usize, SchemaError> {
        // A lock of the session is worth nothing through a pooler.
        database.check_sessions().await.map_err(|error| match error {
            NoSession::Unavailable(error) => SchemaError::from(error),
            pooled @ NoSession::Pooled(_) => SchemaError::Pooled(pooled),
        })?;
        let (mut client, connection) = database.connect().await?;
        // The task ends with the client. The lock below belongs to this session and ends with it on every path.
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                warn!(error = %error, "migration connection ended");
            }
        });
        client
            .execute("select pg_advisory_lock($1)", &[&self.lock])
            .await?;
        let report = (self.runner)().run_async(&mut client).await;
        let report = report.map_err(|error| SchemaError::Migration {
            database: self.database,
            source: Box::new(error),
        })?;
        for migration in report.applied_migrations() {
            info!(
                version = migration.version(),
                name = migration.name(),
                "migration applied"
            );
        }
        drop(client);
        // The driver ends when the server has seen the end of the session, and with it of the lock.
        let _ = driver.await;
        Ok(report.applied_migrations().len())
    }

    /// Refuses a schema that is not exactly the one this build knows.
    pub async fn check(&self, pool: &Pool) -> Result<(), SchemaError> {
        let client = pool.get().await?;
        let applied = applied(&**client).await?;
        self.compare(&applied, (self.runner)().get_migrations())
    }

    /// The newest migration that was applied to the tables that `client` sees; none if there are no tables.
    pub async fn applied(&self, client: &impl GenericClient) -> Result<Option<i32>, SchemaError> {
        let applied = applied(client).await?;
        Ok(applied.iter().map(|applied| applied.version).max())
    }

    /// Keeps every migration of this database out until the transaction of `client` ends.
    pub async fn hold(&self, client: &impl GenericClient) -> Result<(), Error> {
        client
            .execute("select pg_advisory_xact_lock($1)", &[&self.lock])
            .await
            .map(|_| ())
    }

    /// Refuses a schema that is newer than the one this build knows.
    pub fn refuse_newer(&self, found: i32) -> Result<(), SchemaError> {
        let known = self.newest();
        if found > known {
            let database = self.database;
            return Err(SchemaError::Newer {
                database,
                found,
                known,
            });
        }
        Ok(())
    }

    fn compare(&self, applied: &[Applied], known: &[Migration]) -> Result<(), SchemaError> {
        let (database, command) = (self.database, self.command);
        let divergent = |version| SchemaError::Divergent { database, version };
        let found = applied.iter().map(|applied| applied.version).max().unwrap_or(0);
        let needed = newest(known);
        self.refuse_newer(found)?;
        for migration in known {
            let version = migration.version();
            match applied.iter().find(|applied| applied.version == version) {
                None => {
                    return Err(SchemaError::Older {
                        database,
                        command,
                        found,
                        needed,
                    });
                }
                Some(applied) if applied.checksum != migration.checksum().to_string() => {
                    return Err(divergent(version));
                }
                Some(_) => {}
            }
        }
        let unknown = |applied: &&Applied| known.iter().all(|known| known.version() != applied.version);
        match applied.iter().find(unknown) {
            Some(unknown) => Err(divergent(unknown.version)),
            None => Ok(()),
        }
    }
}

fn newest(migrations: &[Migration]) -> i32 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

struct Applied {
    version: i32,
    checksum: String,
}

async fn applied(client: &impl GenericClient) -> Result<Vec<Applied>, SchemaError> {
    let rows = client
        .query(include_str!("sql/list_applied_migrations.sql"), &[])
        .await;
    match rows {
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

/// Whether the connection broke, or the server is short of something, starting or stopping.
fn is_lost(error: &Error) -> bool {
    match error.code() {
        None => {
            error.is_closed()
                || error
                    .source()
                    .is_some_and(<dyn std::error::Error>::is::<io::Error>)
        }
        // Classes 08 connection, 53 resources, 57P shutdown and starting up.
        Some(code) => ["08", "53", "57P"]
            .iter()
            .any(|class| code.code().starts_with(class)),
    }
}
