//! The epochs of the log. A log that was restored to an earlier point continues with other events at positions that it has
//! used before. A new epoch tells readers that what they made of the old events is invalid.

use chrono::{DateTime, Utc};
use envelope::{LogHead, Position};
use uuid::Uuid;

use crate::error::Error;
use crate::log::Log;

/// One epoch of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its identity.
    pub id: Uuid,
    /// The end of the log when the epoch began: up to here it equals the epoch before.
    pub after: Position,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl Log {
    /// Ends the epoch `ends` and begins a new one at the end of the log. Readers then rebuild what they made of the log's
    /// events. Returns `None` and changes nothing if that epoch has ended already.
    pub async fn begin_epoch(&self, ends: Uuid, reason: &str) -> Result<Option<LogHead>, Error> {
        let rows = self
            .query(include_str!("sql/begin_epoch.sql"), &[&ends, &reason])
            .await?;
        rows.first()
            .map(|row| {
                Ok(LogHead {
                    position: Position::from_sql(row.try_get(0)?),
                    epoch: row.try_get(1)?,
                })
            })
            .transpose()
    }

    /// All epochs of the log, the first one first.
    pub async fn epochs(&self) -> Result<Vec<Epoch>, Error> {
        let rows = self.query(include_str!("sql/list_epochs.sql"), &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(Epoch {
                    id: row.try_get(0)?,
                    after: Position::from_sql(row.try_get(1)?),
                    began_at: row.try_get(2)?,
                    reason: row.try_get(3)?,
                })
            })
            .collect()
    }
}
