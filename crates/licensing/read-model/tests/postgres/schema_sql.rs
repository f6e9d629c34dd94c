//! `schema.sql` shows the tables as they are now: what all migrations together have made.

use std::path::Path;

use anyhow::Result;

use crate::support::Database;

const HEADER: &str = "\
-- The read database as its migrations make it. Generated: UPDATE_SCHEMAS=1 and the test `schema_sql` of read-model write it.
";

#[tokio::test]
async fn schema_sql_is_what_the_migrations_make() -> Result<()> {
    let database = Database::migrated().await?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    stack::check_schema_file(&database.url, &file, HEADER).await
}
