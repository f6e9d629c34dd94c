//! The log as the bus reads it.

use envelope::{Position, RecordedEvent};
use event_bus::{LogError, LogHead, LogReader};
use event_store::Log;

/// The log as the bus reads it.
#[derive(Clone)]
pub(crate) struct Source(pub(crate) Log);

impl LogReader for Source {
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
