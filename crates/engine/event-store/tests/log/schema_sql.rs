//! `schema.sql` shows tables and functions as they are now: what all migrations together have made.

use std::path::Path;

use crate::support::TestLog;

const HEADER: &str = "\
-- The events database as its migrations make it. Generated: UPDATE_SCHEMAS=1 and the test `schema_sql` of event-store write it.
";

#[tokio::test]
async fn schema_sql_is_what_the_migrations_make() {
    let test = TestLog::new().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    stack::check_schema_file(&test.url, &file, HEADER).await.unwrap();
}
