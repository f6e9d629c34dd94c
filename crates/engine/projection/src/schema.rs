//! The schemas of a projection: where its tables are, where they are rebuilt and verified, and what creates them.

use anyhow::Result;
use connect::{Database, SchemaError};
use deadpool_postgres::Pool;
use service::postgres::{self, PoolOptions};
use tokio_postgres::Client;

use crate::projection::Projection;

/// Where the tables of one projection are.
#[derive(Clone, Debug)]
pub(crate) struct Schemas {
    /// The tables that are read.
    pub(crate) live: String,
    /// The tables that a rebuild fills.
    pub(crate) building: String,
    /// The tables that were live before the last swap.
    pub(crate) kept: String,
    /// The live tables during a swap.
    pub(crate) outgoing: String,
    /// The tables that a verification fills.
    pub(crate) scratch: String,
}

impl Schemas {
    pub(crate) fn of(projection: &impl Projection) -> Self {
        let name = projection.name();
        Self {
            live: projection.schema().to_owned(),
            building: format!("{name}_rebuild"),
            kept: format!("{name}_previous"),
            outgoing: format!("{name}_outgoing"),
            scratch: format!("{name}_verify"),
        }
    }
}

/// A schema as statements and `search_path` name it.
pub(crate) fn quoted(schema: &str) -> String {
    format!("\"{}\"", schema.replace('"', "\"\""))
}

/// The key of an advisory lock of one projection: `base` for tables in `public`, as in builds that knew one projection
/// only; another key for any other schema.
pub(crate) fn lock_key(base: i64, projection: &impl Projection) -> i64 {
    match projection.schema() {
        "public" => base,
        schema => {
            // FNV-1a, without the sign bit: `pg_locks` shows keys as two unsigned halves.
            let hash = schema.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            base ^ i64::try_from(hash >> 1).unwrap_or(0)
        }
    }
}

/// A pool for the tables of a projection, as [`service::postgres::pool`] makes it.
pub fn pool(
    projection: &impl Projection,
    url: &str,
    options: &PoolOptions,
    application_name: &str,
) -> Result<Pool> {
    postgres::built(&database(projection, url, options, application_name)?, options)
}

/// As [`pool`], with sessions that commit without waiting for the disk. Rows and checkpoint are one transaction, so events
/// whose rows a crash of the database loses are applied again.
pub fn async_commit_pool(
    projection: &impl Projection,
    url: &str,
    options: &PoolOptions,
    application_name: &str,
) -> Result<Pool> {
    let database = database(projection, url, options, application_name)?;
    postgres::built(&database.set(&[("synchronous_commit", "off")]), options)
}

fn database(
    projection: &impl Projection,
    url: &str,
    options: &PoolOptions,
    application_name: &str,
) -> Result<Database> {
    let database = postgres::database(url, options, application_name)?;
    Ok(database.set(&[("search_path", &quoted(projection.schema()))]))
}

/// Brings the tables of a projection to the schema of this build, and returns how many migrations were applied. Several
/// processes may run this at once.
pub async fn migrate(projection: &impl Projection, url: &str) -> Result<usize, SchemaError> {
    let database = Database::parse(url)?.named("projection migrate");
    create(projection, &database, projection.schema()).await
}

/// Creates the tables of a projection in `schema`, or brings them to the schema of this build.
pub(crate) async fn create(
    projection: &impl Projection,
    database: &Database,
    schema: &str,
) -> Result<usize, SchemaError> {
    let schema = quoted(schema);
    let create = format!("create schema if not exists {schema}");
    connected(database, async |client| client.batch_execute(&create).await).await?;
    // Extensions are in `public`; their operators are part of index definitions.
    let migrating = database
        .clone()
        .set(&[("search_path", &format!("{schema},public"))]);
    let applied = projection.migrations().migrate(&migrating).await?;
    // In this schema alone: tables of the same names in `public` belong to another projection.
    let alone = database.clone().set(&[("search_path", &schema)]);
    connected(&alone, async |client| {
        let transaction = client.transaction().await?;
        projection.migrations().hold(&transaction).await?;
        transaction
            .batch_execute(include_str!("sql/create_tables.sql"))
            .await?;
        transaction.commit().await
    })
    .await?;
    Ok(applied)
}

/// Runs `work` on a connection of its own, which has ended when this returns.
async fn connected(
    database: &Database,
    work: impl AsyncFnOnce(&mut Client) -> Result<(), tokio_postgres::Error>,
) -> Result<(), SchemaError> {
    let (mut client, connection) = database.connect().await?;
    let driver = tokio::spawn(connection);
    let done = work(&mut client).await;
    drop(client);
    // An error of the connection is the error of `work`.
    let _ = driver.await;
    Ok(done?)
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_schema_can_not_end_its_quotes() {
        assert_eq!(quoted(r#"a"; drop"#), r#""a""; drop""#);
    }
}
