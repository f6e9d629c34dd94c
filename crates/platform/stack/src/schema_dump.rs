//! A database's schema as it is now, as one text: what all its migrations together have made. A test per database
//! compares it with the crate's `schema.sql`.
//!
//! Read from the catalog, not by `pg_dump`: its text differs between versions, and it need not be installed.

use std::path::Path;

use anyhow::{Context as _, bail};

const DUMP_SCHEMA: &str = include_str!("sql/dump_schema.sql");
/// Set, it makes [`check_schema_file`] write the file instead of comparing it.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// Tables that belong to the migration library and not to the schema.
const MIGRATION_TABLES: [&str; 2] = ["event_store_migrations", "refinery_schema_history"];

/// Tables, indexes, triggers, views and functions of the database at `url`, one definition after the other.
pub async fn schema_dump(url: &str) -> anyhow::Result<String> {
    let (client, connection) = connect::Database::parse(url)?.connect().await?;
    let driver = tokio::spawn(connection);
    let rows = client
        .query(DUMP_SCHEMA, &[&MIGRATION_TABLES.as_slice()])
        .await
        .context("cannot read the schema")?;
    drop(client);
    driver.await??;
    let definitions: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(definitions.join("\n\n") + "\n")
}

/// Compares the schema of the migrated database at `url` with `file`, which begins with a `header` of comment lines. With
/// `UPDATE_SCHEMAS=1` in the environment, writes the file instead.
pub async fn check_schema_file(url: &str, file: &Path, header: &str) -> anyhow::Result<()> {
    let now = format!("{header}\n{}", schema_dump(url).await?);
    if std::env::var_os(UPDATE).is_some() {
        return std::fs::write(file, now).with_context(|| format!("cannot write {}", file.display()));
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    if written == now {
        return Ok(());
    }
    let differs = now
        .lines()
        .zip(written.lines())
        .find(|(now, written)| now != written);
    let (now, written) = differs.unwrap_or(("", "another length"));
    bail!(
        "{} is not the schema that the migrations make: it says {written:?}, they say {now:?}. Run the test with {UPDATE}=1",
        file.display()
    )
}
