//! What the bus needs from the log it copies.

use std::future::Future;

use envelope::{Position, RecordedEvent};
use uuid::Uuid;

/// Why the log could not be read. Kept opaque: the bus only waits and tries again.
pub type LogError = Box<dyn std::error::Error + Send + Sync>;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// The last position; [`Position::START`] for an empty log.
    pub position: Position,
    /// Which life of the log this is: another one after a restore to an earlier point.
    pub epoch: Uuid,
}

/// The log, read in order.
///
/// A trait because the log lives in another crate that the bus does not know.
pub trait LogReader: Send + Sync {
    /// The end of the log now.
    fn head(&self) -> impl Future<Output = Result<LogHead, LogError>> + Send;

    /// Up to `limit` events after a position, contiguous and in order; empty at the end.
    fn read_after(
        &self,
        after: Position,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, LogError>> + Send;
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
}
