//! The log as its readers see it, wherever it is kept.

use std::future::Future;

use uuid::Uuid;

use crate::{Position, RecordedEvent};

/// Why the log could not be read. Kept opaque: who only follows the log waits and tries again.
pub type LogError = Box<dyn std::error::Error + Send + Sync>;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// The last position; [`Position::START`] for an empty log.
    pub position: Position,
    /// Which life of the log this is: another one after a restore to an earlier point.
    pub epoch: Uuid,
}

/// Some of the log, and the end of it, as they were together.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The end of the log. The events are of its epoch, and none is beyond it.
    pub head: LogHead,
    /// Events, contiguous and in order; empty at the end.
    pub events: Vec<RecordedEvent>,
}

/// The log, read in order.
///
/// A trait because whoever carries the log on does not know where it is kept.
pub trait LogReader: Send + Sync {
    /// The end of the log now.
    fn head(&self) -> impl Future<Output = Result<LogHead, LogError>> + Send;

    /// Up to `limit` events after a position, contiguous and in order; empty at the end.
    fn read_after(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;

    /// Up to `limit` events after a position, and the end of the log: for who must know of which life the events are.
    ///
    /// Two reads in this order: if the log is still in a life when its head is read, the events read before are of
    /// that life too. The other way round a log that is restored between the two gives events of another life.
    fn read_page(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage, LogError>> + Send {
        async move {
            let events = self.read_after(after, limit).await?;
            let head = self.head().await?;
            Ok(LogPage { head, events })
        }
    }
}

impl<L: LogReader> LogReader for &L {
    fn head(&self) -> impl Future<Output = Result<LogHead, LogError>> + Send {
        (**self).head()
    }

    fn read_after(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send {
        (**self).read_after(after, limit)
    }

    fn read_page(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage, LogError>> + Send {
        (**self).read_page(after, limit)
    }
}
