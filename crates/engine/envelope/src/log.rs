//! The log as its readers see it, wherever it is stored.

use std::future::Future;

use uuid::Uuid;

use crate::{Position, RecordedEvent};

/// Why the log could not be read. Opaque: a reader waits and tries again.
pub type LogError = Box<dyn std::error::Error + Send + Sync>;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// The last position; [`Position::START`] for an empty log.
    pub position: Position,
    /// The epoch of the log: a new one after a restore to an earlier point.
    pub epoch: Uuid,
}

/// Events and the end of the log, of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The end of the log. The events are of its epoch, and none is beyond it.
    pub head: LogHead,
    /// Events, contiguous and in order; empty at the end.
    pub events: Vec<RecordedEvent>,
}

/// The log, read in order.
///
/// A trait, since readers do not depend on where the log is stored.
pub trait LogReader: Send + Sync {
    /// The end of the log now.
    fn head(&self) -> impl Future<Output = Result<LogHead, LogError>> + Send;

    /// Up to `limit` events after a position, contiguous and in order; empty at the end.
    fn read_after(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;

    /// Up to `limit` events after a position, and the end of the log, for a reader that needs the epoch of the events.
    ///
    /// The default reads the events first: if the log is in an epoch when its head is read, the events read before are of
    /// that epoch too. In the other order, a restore between the reads gives events of another epoch.
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
