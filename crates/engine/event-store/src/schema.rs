//! The log's schema: forward-only numbered files, applied by a `migrate` subcommand, checked by every server.

use connect::{Database, NoSession};
use deadpool_postgres::Pool;
use refinery::{Migration, Runner};
use tokio_postgres::Client;

use crate::error::{Error, describe};

/// Names the migration table and, hashed, the advisory lock that lets one migration run at a time.
const TABLE: &str = "event_store_migrations";

mod embedded {
    refinery::embed_migrations!("src/migrations");
}

/// Brings the log at `url` to this build's schema. Returns how many migrations it applied; 0 when it was there already.
pub async fn migrate(url: &str) -> Result<usize, Error> {
    let database = Database::parse(url)?.named("event-store migrate");
    // A session lock does not hold through a pooler.
    database.check_sessions().await.map_err(|error| match error {
        NoSession::Unavailable(error) => Error::from(error),
        pooled @ NoSession::Pooled(_) => Error::Schema(pooled.to_string()),
    })?;
    let (mut client, connection) = database.connect().await?;
    let driver = tokio::spawn(connection);
    client
        .execute("select pg_advisory_lock(hashtext($1))", &[&TABLE])
        .await?;
    let report = runner()
        .run_async(&mut client)
        .await
        .map_err(|error| not_migrated(&error));
    drop(client);
    // The lock ends with the session; wait for its end, so that what runs next finds it free.
    let _ = driver.await;
    Ok(report?.applied_migrations().len())
}

/// Refuses a log whose schema is not exactly the one that this build knows: older, newer, or different.
pub async fn check_schema(pool: &Pool) -> Result<(), Error> {
    let mut client = pool.get().await?;
    let client: &mut Client = &mut client;
    let exists = client
        .query_one("select to_regclass($1) is not null", &[&TABLE])
        .await?
        .try_get::<_, bool>(0)?;
    if !exists {
        return Err(Error::NotMigrated("the event database is empty".into()));
    }
    let runner = runner();
    let applied = runner
        .get_applied_migrations_async(client)
        .await
        .map_err(|error| unreadable(&error))?;
    compare(runner.get_migrations(), &applied)
}

/// The migration that failed, and the database's reason.
fn not_migrated(error: &refinery::Error) -> Error {
    match driver_error(error) {
        Some(refused) => Error::Schema(format!("{error}: {}", describe(refused))),
        None => Error::Schema(error.to_string()),
    }
}

/// Why the list of applied migrations could not be read.
fn unreadable(error: &refinery::Error) -> Error {
    driver_error(error).map_or_else(|| Error::Unavailable(error.to_string()), Error::of)
}

fn driver_error(error: &refinery::Error) -> Option<&tokio_postgres::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

fn runner() -> Runner {
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(TABLE);
    runner
}

fn compare(known: &[Migration], applied: &[Migration]) -> Result<(), Error> {
    let newest = |list: &[Migration]| list.iter().map(Migration::version).max().unwrap_or(0);
    let (needed, has) = (newest(known), newest(applied));
    if has < needed {
        return Err(Error::NotMigrated(format!(
            "the event database is at version {has}, this build needs {needed}"
        )));
    }
    if has > needed {
        return Err(Error::Schema(format!(
            "the event database is at version {has}, this build knows only {needed}: run a newer build"
        )));
    }
    let same = known.iter().all(|one| {
        applied
            .iter()
            .any(|other| other.version() == one.version() && other.checksum() == one.checksum())
    });
    if same {
        Ok(())
    } else {
        Err(Error::Schema(format!(
            "the event database's version {has} differs from this build's"
        )))
    }
}
