//! Options, status and counts of a subscription.

use std::sync::Arc;
use std::time::Duration;

use envelope::{Contradiction, Position};
use uuid::Uuid;

/// Name and time limits of a subscription.
#[derive(Clone, Debug)]
pub struct CatchUpOptions {
    /// The name of the reader: the label `feed` of the metrics.
    pub name: Arc<str>,
    /// Interval of the server's heartbeats for an idle consumer. Two missed ones close the consumer.
    pub heartbeat: Duration,
    /// How long the stream may take to deliver what the log is known to hold, before the log is read instead.
    pub stream_grace: Duration,
    /// How often the log is read when no event arrives.
    pub poll: Duration,
    /// How long one read of the log may take.
    pub log_wait: Duration,
}

impl Default for CatchUpOptions {
    fn default() -> Self {
        Self {
            name: "unnamed".into(),
            heartbeat: Duration::from_secs(3),
            stream_grace: Duration::from_millis(250),
            poll: Duration::from_secs(1),
            log_wait: Duration::from_secs(5),
        }
    }
}

/// Why a subscription has ended.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The caller is shutting down.
    #[error("stopped")]
    Stopped,
    /// The log was restored to an earlier point: events that were read may be gone.
    #[error("the log began a new epoch: expected {expected}, found {found}")]
    EpochChanged {
        /// The epoch of the events so far.
        expected: Uuid,
        /// The epoch of the log.
        found: Uuid,
    },
    /// The log does not hold the last event that was taken, although its epoch is the same: taken events may be gone, and
    /// others may stand in their place.
    #[error("{0}")]
    Contradicted(#[from] Contradiction),
    /// The log itself has a hole, against its own rule.
    #[error("the log has no position {missing} but has {found}")]
    LogBroken {
        /// The position that should come next.
        missing: Position,
        /// What came instead.
        found: Position,
    },
}

/// What a subscription has done so far.
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
    /// Messages that were not published from this log.
    pub untrusted: u64,
    /// Messages that did not name the last event taken as their predecessor, so that the log was read for them.
    pub unlinked: u64,
    /// Consumers opened on the stream.
    pub consumers_opened: u64,
}

/// The problems of a subscription, for health checks. It continues with the other source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUpStatus {
    /// Why the stream isn't read.
    pub stream: Option<String>,
    /// Why the log can't be read.
    pub log: Option<String>,
    /// The furthest position known to exist.
    pub head: Position,
}
