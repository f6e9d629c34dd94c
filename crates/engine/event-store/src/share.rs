//! Reading the log with several readers at once, each reading all events of its own aggregates, so that the order within
//! an aggregate is kept without coordination.

use std::pin::pin;

use envelope::{Position, RecordedEvent};
use futures_util::TryStreamExt as _;
use tokio_postgres::types::ToSql;

use crate::error::Error;
use crate::log::{Log, recorded};

/// Which reader of how many. Every aggregate belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: u32,
    /// At least 1.
    pub of: u32,
}

/// A run of one share's events, in order.
#[derive(Debug)]
pub struct ShareRun {
    /// The events.
    pub events: Vec<RecordedEvent>,
    /// The share has no further event up to here.
    pub through: Position,
}

impl Log {
    /// How many can read at once without waiting for each other.
    pub fn most_readers(&self) -> usize {
        self.pool.status().max_size
    }

    /// The events of a share after `after` and up to `through`; fewer once their payloads fill `max_bytes`.
    ///
    /// A share can't see whether positions are missing. Over all shares, as many events as positions prove that none is.
    pub async fn read_share(
        &self,
        share: Share,
        after: Position,
        through: Position,
        max_bytes: usize,
    ) -> Result<ShareRun, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(include_str!("sql/read_share.sql")).await?;
        // Neither is ever near the end of its type.
        let (index, of) = (
            i32::try_from(share.index).unwrap_or(i32::MAX),
            i32::try_from(share.of).unwrap_or(i32::MAX),
        );
        let binds: [&(dyn ToSql + Sync); 4] = [&after.to_sql(), &through.to_sql(), &index, &of];
        let mut rows = pin!(client.query_raw(&statement, binds).await?);
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await? {
            let event = recorded(&row)?;
            bytes += event.payload.get().len();
            let position = event.position;
            events.push(event);
            if bytes >= max_bytes {
                return Ok(ShareRun {
                    events,
                    through: position,
                });
            }
        }
        Ok(ShareRun { events, through })
    }
}
