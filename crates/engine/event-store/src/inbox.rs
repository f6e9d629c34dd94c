//! Handled messages from outside, so that a repetition costs nothing.
//!
//! A message is remembered after its effects, never before: after a crash in between it is handled once more, which must
//! be safe. So the commits here need not wait for the disk.

use std::time::Duration;

use deadpool_postgres::Pool;

use crate::error::Error;

/// Handled messages, by source.
#[derive(Clone)]
pub struct Inbox {
    pool: Pool,
}

impl Inbox {
    /// Most messages that [`Inbox::forget`] forgets in one call.
    pub const AT_ONCE: u64 = 10_000;

    /// In the log's database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Whether the message with this key was handled.
    pub async fn has(&self, source: &str, key: &[u8]) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("sql/find_message.sql"))
            .await?;
        Ok(client.query_opt(&statement, &[&source, &key]).await?.is_some())
    }

    /// Remembers that the message with this key was handled.
    pub async fn remember(&self, source: &str, key: &[u8]) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("sql/remember_message.sql"))
            .await?;
        client.execute(&statement, &[&source, &key]).await?;
        Ok(())
    }

    /// Forgets messages that are older than `age`, at most [`Inbox::AT_ONCE`] of them; returns their number.
    pub async fn forget(&self, source: &str, age: Duration) -> Result<u64, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("sql/forget_messages.sql"))
            .await?;
        let at_once = i64::try_from(Self::AT_ONCE).unwrap_or(i64::MAX);
        Ok(client
            .execute(&statement, &[&source, &age.as_secs_f64(), &at_once])
            .await?)
    }
}
