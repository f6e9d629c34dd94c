//! Which schema this build knows, and bringing a database to it.

use connect::{Database, Migrations, SchemaError};
use deadpool_postgres::Pool;

mod embedded {
    refinery::embed_migrations!("src/migrations");
}

/// Key of the advisory lock under which one process migrates at a time; the ASCII codes of `readmdl`.
const MIGRATION_LOCK: i64 = 0x0072_6561_646d_646c;

/// The migrations of the tables.
pub static MIGRATIONS: Migrations = Migrations::new(
    "the read database",
    "projector migrate",
    MIGRATION_LOCK,
    embedded::migrations::runner,
);

/// Applies the missing migrations in order and returns their count. Several processes may run this at once.
pub async fn migrate(url: &str) -> Result<usize, SchemaError> {
    let database = Database::parse(url)?.named("read-model migrate");
    MIGRATIONS.migrate(&database).await
}

/// Refuses a schema that is not exactly the one this build knows.
pub async fn check_schema(pool: &Pool) -> Result<(), SchemaError> {
    MIGRATIONS.check(pool).await
}

/// The newest schema version that this build knows.
pub fn known_schema() -> i32 {
    MIGRATIONS.newest()
}
