//! The seals in the database, and the events that they are about.

use std::pin::pin;

use deadpool_postgres::{Object, Pool};
use futures_util::TryStreamExt as _;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Error;
use super::leaf::Leaf;
use super::record::Seal;

/// Length of one leaf's mark.
pub(crate) const MARK: usize = 8;

/// A seal with the marks of its leaves.
pub(crate) struct Marked {
    pub(crate) seal: Seal,
    pub(crate) marks: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Table {
    pool: Pool,
}

impl Table {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// At most `limit` seals after the one that begins at `first`, in order.
    pub(crate) async fn seals_after(&self, first: i64, limit: i64) -> Result<Vec<Seal>, Error> {
        let rows = self
            .query(include_str!("../sql/read_seals.sql"), &[&first, &limit])
            .await?;
        rows.iter().map(seal).collect()
    }

    /// The last seal that begins at or before `position`.
    pub(crate) async fn seal_at(&self, position: i64) -> Result<Option<Marked>, Error> {
        let rows = self
            .query(include_str!("../sql/find_seal.sql"), &[&position])
            .await?;
        rows.first()
            .map(|row| {
                Ok(Marked {
                    seal: seal(row)?,
                    marks: row.try_get(7)?,
                })
            })
            .transpose()
    }

    /// The last seal.
    pub(crate) async fn tip(&self) -> Result<Option<Marked>, Error> {
        self.seal_at(i64::MAX).await
    }

    /// Whether it was inserted: `false` if another sealer went on from the same seal first.
    pub(crate) async fn insert(&self, Marked { seal, marks }: &Marked) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("../sql/insert_seal.sql"))
            .await?;
        let inserted = client
            .execute(
                &statement,
                &[
                    &seal.first,
                    &seal.last,
                    &seal.epoch,
                    &seal.merkle_root.as_slice(),
                    &seal.previous_seal_hash.as_slice(),
                    &seal.sealed_at,
                    &seal.signature.as_slice(),
                    marks,
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Hands over what stands at the positions `first..=last`, in order and one by one; `None` for what is no event.
    pub(crate) async fn leaves(
        &self,
        first: i64,
        last: i64,
        mut take: impl FnMut(i64, Option<Leaf>) + Send,
    ) -> Result<(), Error> {
        let client: Object = self.pool.get().await?;
        let statement = client
            .prepare_cached(include_str!("../sql/read_leaves.sql"))
            .await?;
        let limit = (last - first + 1) * 2;
        let rows = client.query_raw(&statement, [first, last, limit]).await?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            take(row.try_get(0)?, Leaf::from_row(&row).ok());
        }
        Ok(())
    }

    /// The lowest and the highest position; 1 and 0 in an empty log.
    pub(crate) async fn bounds(&self) -> Result<(i64, i64), Error> {
        let rows = self.query(include_str!("../sql/read_bounds.sql"), &[]).await?;
        let row = rows
            .first()
            .ok_or_else(|| crate::Error::Broken("an aggregate gave no row".into()))?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    async fn query(&self, sql: &str, binds: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, binds).await?)
    }
}

fn seal(row: &Row) -> Result<Seal, Error> {
    let first: i64 = row.try_get(0)?;
    let unreadable = || {
        crate::Error::Broken(format!(
            "the database's seal that begins at position {first} can't be read"
        ))
    };
    let read = || -> Option<Seal> {
        Some(Seal {
            first,
            last: row.try_get(1).ok()?,
            epoch: row.try_get(2).ok()?,
            merkle_root: row.try_get::<_, &[u8]>(3).ok()?.try_into().ok()?,
            previous_seal_hash: row.try_get::<_, &[u8]>(4).ok()?.try_into().ok()?,
            sealed_at: row.try_get(5).ok()?,
            signature: row.try_get::<_, &[u8]>(6).ok()?.try_into().ok()?,
        })
    };
    Ok(read().ok_or_else(unreadable)?)
}
