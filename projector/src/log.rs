//! The event database, as the bus reads it.

use envelope::{Position, RecordedEvent};
use event_bus::{LogError, LogHead, LogReader};
use event_store::Log;

/// [`Log`] for the bus, which does not know where the log is kept.
#[derive(Clone)]
pub struct EventLog(pub Log);

impl LogReader for EventLog {
    async fn head(&self) -> Result<LogHead, LogError> {
        let head = self.0.head().await?;
        Ok(LogHead {
            position: head.position,
            epoch: head.epoch,
        })
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        Ok(self.0.read_after(after, limit).await?)
    }
}
