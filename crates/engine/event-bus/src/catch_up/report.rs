//! What a feed is told, and what it tells.

use std::time::Duration;

use envelope::{Contradiction, Position};
use uuid::Uuid;

/// Who reads, and how patiently.
#[derive(Clone, Debug)]
pub struct CatchUpOptions {
    /// Who reads: the `feed` label of the metrics.
    pub name: &'static str,
    /// How often the server shows that an idle consumer lives; two missed ones end it.
    pub heartbeat: Duration,
    /// How long the stream may take to deliver what the log is known to hold, before the log is read instead.
    pub stream_grace: Duration,
    /// How often the log's head is asked for when nothing arrives.
    pub poll: Duration,
    /// How long one read of the log may take.
    pub log_wait: Duration,
}

impl Default for CatchUpOptions {
    fn default() -> Self {
        Self {
            name: "feed",
            heartbeat: Duration::from_secs(3),
            stream_grace: Duration::from_millis(250),
            poll: Duration::from_secs(1),
            log_wait: Duration::from_secs(5),
        }
    }
}

/// Why a feed gives nothing more.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The caller is shutting down.
    #[error("stopped")]
    Stopped,
    /// The log was restored to an earlier point: what was read before may never have happened.
    #[error("the log began a new life: expected epoch {expected}, found {found}")]
    EpochChanged {
        /// The life this feed was reading.
        expected: Uuid,
        /// The life the log is in.
        found: Uuid,
    },
    /// The log does not hold the last event that was taken, although its epoch is the same: what was taken may never have
    /// happened, and what stands there now was not seen.
    #[error("{0}")]
    Contradicted(#[from] Contradiction),
    /// The log itself has a hole, which it promises never to have.
    #[error("the log has no position {missing} but has {found}")]
    LogBroken {
        /// The position that should come next.
        missing: Position,
        /// What came instead.
        found: Position,
    },
}

/// What a feed has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchUpCounts {
    /// Events handed out that came over the stream.
    pub from_stream: u64,
    /// Events handed out that were read from the log.
    pub from_log: u64,
    /// Gaps in what the stream delivered.
    pub gaps_found: u64,
    /// Those of them that were filled from the log.
    pub gaps_refilled: u64,
    /// Events that arrived again and were dropped.
    pub dropped_old: u64,
    /// Messages that were not what the log would have sent.
    pub untrusted: u64,
    /// Messages that did not name the last event taken as their predecessor, so that the log was read for them.
    pub unlinked: u64,
    /// Consumers opened on the stream.
    pub consumers_opened: u64,
}

/// What stands in a feed's way, for health checks. It goes on with the other source meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUpStatus {
    /// Why the stream isn't read.
    pub stream: Option<String>,
    /// Why the log can't be read.
    pub log: Option<String>,
    /// The furthest position known to exist.
    pub head: Position,
}
