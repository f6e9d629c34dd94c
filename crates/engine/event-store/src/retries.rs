//! Attempts and pauses of a command whose aggregates keep changing.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use metrics::counter;

use crate::error::{CommandError, VersionConflict};
use crate::metrics::EXECUTE_CONFLICTS_TOTAL;

/// How often a command is tried.
const ATTEMPTS: usize = 6;

/// The attempts at one command.
pub(crate) struct Retries {
    failed: usize,
    backoff: ExponentialBackoff,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            failed: 0,
            backoff: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(2))
                .with_max_delay(Duration::from_millis(100))
                .with_jitter()
                .without_max_times()
                .build(),
        }
    }
}

impl Retries {
    /// Whether this is the first attempt.
    pub(crate) const fn none_yet(&self) -> bool {
        self.failed == 0
    }

    /// Waits before the next attempt after this conflict; an error after the last attempt.
    pub(crate) async fn after<E>(&mut self, conflict: VersionConflict) -> Result<(), CommandError<E>> {
        counter!(EXECUTE_CONFLICTS_TOTAL).increment(1);
        self.failed += 1;
        if self.failed >= ATTEMPTS {
            return Err(CommandError::Contended {
                attempts: ATTEMPTS,
                last: conflict,
            });
        }
        tokio::time::sleep(self.backoff.next().unwrap_or_default()).await;
        Ok(())
    }
}
