//! Hashes of the rows of a projection, to compare them with a replay of the log.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::GenericClient;
use tokio_postgres::Error;

/// Columns of `parked_events` that depend on the clock or the build.
const EXCLUDED: &[&str] = &["parked_at", "builds"];

/// What one table holds. Two tables with equal digests hold the same rows, in whatever order they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many rows.
    pub rows: i64,
    /// Sum of the rows' 64-bit hashes.
    pub hash: String,
}

/// A table, and the statements that hash it.
struct Hashed {
    table: String,
    digest: String,
    rows: String,
}

/// The digest of every table in the session's schema, by its name. Reads all rows.
pub async fn digest(client: &impl GenericClient) -> Result<BTreeMap<String, Digest>, Error> {
    let mut digests = BTreeMap::new();
    for hashed in tables(client).await? {
        let row = client.query_one(&hashed.digest, &[]).await?;
        let digest = Digest {
            rows: row.try_get("rows")?,
            hash: row.try_get("hash")?,
        };
        digests.insert(hashed.table, digest);
    }
    Ok(digests)
}

/// The hash of every row of one table, by the row's key: to find the rows that make two digests differ. Empty if there is
/// no such table.
pub(crate) async fn row_hashes(
    client: &impl GenericClient,
    table: &str,
) -> Result<HashMap<String, i64>, Error> {
    let tables = tables(client).await?;
    let Some(hashed) = tables.iter().find(|hashed| hashed.table == table) else {
        return Ok(HashMap::new());
    };
    let rows = client.query(&hashed.rows, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("hash")?)))
        .collect()
}

async fn tables(client: &impl GenericClient) -> Result<Vec<Hashed>, Error> {
    let rows = client
        .query(include_str!("sql/list_hashed_tables.sql"), &[&EXCLUDED])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Hashed {
                table: row.try_get("table_name")?,
                digest: row.try_get("digest")?,
                rows: row.try_get("row_hashes")?,
            })
        })
        .collect()
}
