//! Work that was received and is not done yet, in sealed chunks next to the log.
//!
//! What is too large for one command is received chunk by chunk, and done chunk by chunk after an event says that all of it
//! is there. A chunk is deleted when it is done, so personal data in it stays no longer than the work takes.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::Error;
use crate::vault::Vault;

/// Chunks of staged work.
#[derive(Clone)]
pub struct Staging {
    pool: Pool,
    vault: Arc<Vault>,
}

/// A chunk of staged work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Number of its first item, from 1.
    pub first: u32,
    /// Its items, as they were staged.
    pub content: Vec<u8>,
}

impl Staging {
    /// In the log's database, sealed by the log's vault.
    pub const fn new(pool: Pool, vault: Arc<Vault>) -> Self {
        Self { pool, vault }
    }

    /// Adds a chunk. Chunks of one piece of work have different first items.
    pub async fn add(&self, work: Uuid, chunk: &Chunk) -> Result<(), Error> {
        let sealed = self.vault.seal_staged(work, chunk.first, &chunk.content)?;
        let sql = include_str!("sql/stage_chunk.sql");
        self.query(sql, &[&work, &number(chunk.first), &sealed])
            .await
            .map(drop)
    }

    /// The first chunk that begins after item `after`.
    pub async fn next(&self, work: Uuid, after: u32) -> Result<Option<Chunk>, Error> {
        let sql = include_str!("sql/read_chunk.sql");
        let rows = self.query(sql, &[&work, &number(after)]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (first, sealed): (i32, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let first = u32::try_from(first).unwrap_or(0);
        let content = self.vault.open_staged(work, first, &sealed)?;
        Ok(Some(Chunk { first, content }))
    }

    /// Deletes the chunks that begin at item `through` or before.
    pub async fn remove(&self, work: Uuid, through: u32) -> Result<(), Error> {
        let sql = include_str!("sql/drop_chunks.sql");
        self.query(sql, &[&work, &number(through)]).await.map(drop)
    }

    /// Work to which nothing was added for `age`, at most `limit` pieces.
    pub async fn older_than(&self, age: Duration, limit: u32) -> Result<Vec<Uuid>, Error> {
        let sql = include_str!("sql/list_old_work.sql");
        let rows = self.query(sql, &[&age.as_secs_f64(), &i64::from(limit)]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn query(&self, sql: &str, binds: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, binds).await?)
    }
}

fn number(item: u32) -> i32 {
    i32::try_from(item).unwrap_or(i32::MAX)
}
