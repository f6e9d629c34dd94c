//! The lives of the log. Restored to an earlier point, a log goes on with other events at positions that were given out
//! before; whoever keeps something that was made of the old ones has to notice. The epoch says so.

use chrono::{DateTime, Utc};
use envelope::{LogHead, Position};
use uuid::Uuid;

use crate::error::Error;
use crate::log::Log;

/// One life of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its identity.
    pub id: Uuid,
    /// Where the log ended when it began: this far it is the same as the life before.
    pub after: Position,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl Log {
    /// Ends the life `ends` and begins a new one, where the log stands now. Everything that was made of the log's events
    /// elsewhere is made anew because of it. `None`, and nothing done, if that life has ended already.
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

    /// All lives of the log, the first one first.
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
