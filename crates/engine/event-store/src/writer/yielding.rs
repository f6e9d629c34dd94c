//! Commands that can wait yield to the others.
//!
//! A batch of commands takes as long as all of them, so those that come by the hundred make every other one late. While others
//! come, only a share of them is under way at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How long after a command of others is yielded to them.
const QUIET: Duration = Duration::from_secs(1);
/// The share of the places that is left then: one of 32.
const SHARE: u32 = 32;

/// Places for the commands that yield.
pub(super) struct Yielding {
    places: Semaphore,
    begun: Instant,
    /// Milliseconds from `begun` to the end of [`QUIET`] after the last command of others.
    until: AtomicU64,
}

impl Yielding {
    /// With this number of places.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Semaphore::new(places.max(SHARE as usize)),
            begun: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    /// A place for a command that yields, when there is one; none for others, which never wait.
    pub(super) async fn enter(&self, yields: bool) -> Option<SemaphorePermit<'_>> {
        let now = self.now();
        if !yields {
            let quiet = u64::try_from(QUIET.as_millis()).unwrap_or(u64::MAX);
            self.until.store(now.saturating_add(quiet), Ordering::Relaxed);
            return None;
        }
        let others_come = now < self.until.load(Ordering::Relaxed);
        let places = if others_come { SHARE } else { 1 };
        // Never closed.
        self.places.acquire_many(places).await.ok()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn while_others_come_a_share_of_the_places_is_taken() {
        let yielding = Yielding::new(64);
        let places = || {
            let mut taken = Vec::new();
            while let Some(place) = yielding.enter(true).now_or_never() {
                taken.push(place);
            }
            taken.len()
        };
        assert_eq!(places(), 64);
        let other = yielding.enter(false).now_or_never();
        assert!(other.is_some_and(|place| place.is_none()), "others need no place");
        assert_eq!(places(), 2);
        // It is quiet again.
        yielding.until.store(0, Ordering::Relaxed);
        assert_eq!(places(), 64);
    }
}
