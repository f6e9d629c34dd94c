//! Following the log with PostgreSQL alone: a catch-up subscription without a broker.
//!
//! `NOTIFY` wakes it, and it also reads at an interval, so a lost notification costs at most that interval. Each read
//! proves that it follows the last event: positions are contiguous, the log still holds that event, and its epoch is
//! the same.

use std::time::Duration;

use envelope::{Contradiction, Mark, Position, RecordedEvent};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Error;
use crate::listen::listen;
use crate::log::Log;

/// How often the log is read when no notification arrives.
const POLL: Duration = Duration::from_secs(1);

/// Reads the log in order, from a checkpoint on and then as it grows.
pub struct LogSubscription {
    log: Log,
    head_watch: watch::Receiver<Position>,
    mark: Mark,
    epoch: Option<Uuid>,
    poll: Duration,
}

/// Why a subscription gives no events.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The log could not be read. The next call continues at the same place.
    #[error(transparent)]
    Log(#[from] Error),
    /// The log was restored to an earlier point and began a new epoch. Rebuild what was made of its events.
    #[error("the log began a new epoch: expected {expected}, found {found}")]
    EpochChanged {
        /// The epoch of the events so far.
        expected: Uuid,
        /// The epoch of the log.
        found: Uuid,
    },
    /// The log does not hold the last event any more, although its epoch is the same.
    #[error(transparent)]
    Contradicted(#[from] Contradiction),
}

impl LogSubscription {
    /// Follows `log` behind `after`: a [`Position`], or a [`Mark`] that also proves that the log still holds the event
    /// there. `head_watch` is [`listen`]'s.
    pub fn new(log: Log, head_watch: watch::Receiver<Position>, after: impl Into<Mark>) -> Self {
        Self {
            log,
            head_watch,
            mark: after.into(),
            epoch: None,
            poll: POLL,
        }
    }

    /// Follows `log`, which is the one at `url`, and listens for its notifications until `shutdown`.
    pub fn start(
        log: Log,
        url: &str,
        after: impl Into<Mark>,
        shutdown: CancellationToken,
    ) -> Result<Self, Error> {
        Ok(Self::new(log, listen(url, shutdown)?, after))
    }

    /// The epoch that a checkpoint was taken in. Without it, the epoch of the first read counts.
    #[must_use]
    pub const fn in_epoch(mut self, epoch: Uuid) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// How often the log is read when no notification arrives; a second if nothing is set.
    #[must_use]
    pub const fn polling(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// The last event that was handed out. Store it with what was made of the events, to continue there later.
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// The log's epoch, once it was read.
    pub const fn epoch(&self) -> Option<Uuid> {
        self.epoch
    }

    /// The next events, at least one and at most `max`, in order and without a gap. Waits while the log has no new event.
    /// Dropping the wait loses nothing.
    pub async fn next_batch(&mut self, max: u32) -> Result<Vec<RecordedEvent>, SubscriptionError> {
        loop {
            self.head_watch.borrow_and_update();
            let (after, limit) = self.mark.reading(max.max(1));
            let mut page = self.log.read_page(after, limit).await?;
            let expected = *self.epoch.get_or_insert(page.head.epoch);
            if expected != page.head.epoch {
                return Err(SubscriptionError::EpochChanged {
                    expected,
                    found: page.head.epoch,
                });
            }
            self.mark.prove(&mut page)?;
            if let Some(last) = page.events.last() {
                self.mark = Mark::of(last);
                return Ok(page.events);
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let moved = async {
            if self.head_watch.changed().await.is_err() {
                // The listener has ended: only the interval is left.
                std::future::pending::<()>().await;
            }
        };
        // A notification and the end of the interval lead to the same read.
        let _ = tokio::time::timeout(self.poll, moved).await;
    }
}
