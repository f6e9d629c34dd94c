//! A fingerprint of the whole read model, to compare it with a replay of the log.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::GenericClient;

use crate::Error;

/// What one table holds. Two tables with equal digests hold the same rows, in whatever order they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// How many rows.
    pub rows: i64,
    /// Sum of the rows' 64-bit hashes. Clocks of this database are left out, so that a replay gives the same.
    pub hash: String,
}

/// The digest of every table of the projection, by its name. Reads all rows: not for the fast path.
pub async fn digest(client: &impl GenericClient) -> Result<BTreeMap<String, Digest>, Error> {
    let rows = client.query(include_str!("sql/digest_tables.sql"), &[]).await?;
    rows.iter()
        .map(|row| {
            let digest = Digest {
                rows: row.try_get("rows")?,
                hash: row.try_get("hash")?,
            };
            Ok((row.try_get("table_name")?, digest))
        })
        .collect()
}

/// The hash of every row of one table that [`digest`] names, by the row's key: to find which rows make two digests
/// differ.
pub async fn row_hashes(client: &impl GenericClient, table: &str) -> Result<HashMap<String, i64>, Error> {
    let rows = client
        .query(include_str!("sql/list_row_hashes.sql"), &[&table])
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("hash")?)))
        .collect()
}
