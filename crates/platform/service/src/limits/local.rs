//! The limits of this instance alone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::pace::Pace;

/// The most readers remembered, about 100 bytes each. With more, those whose burst is full are forgotten first, and then all
/// of them: a flood of addresses must not fill the memory.
const MOST: usize = 20_000;
/// How often they are counted: a count is not free.
const COUNT_EVERY: u32 = 1024;

type Readers = RateLimiter<u128, DashMapStateStore<u128>, DefaultClock, StateInformationMiddleware>;

/// Counts the requests of each reader in this process.
pub(super) struct Local {
    pace: Pace,
    readers: RwLock<Readers>,
    checks: AtomicU32,
}

impl Local {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            readers: RwLock::new(readers(pace)),
            checks: AtomicU32::new(0),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Charges a request to the reader, if the limit allows it; and the reader's debt then.
    pub(super) fn charge(&self, reader: u128) -> (bool, u64) {
        if self.checks.fetch_add(1, Ordering::Relaxed) % COUNT_EVERY == COUNT_EVERY - 1 {
            self.forget();
        }
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        match readers.check_key(&reader) {
            Ok(state) => (true, self.pace.debt_us(state.remaining_burst_capacity())),
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
                let full = self.pace.capacity_us();
                (
                    false,
                    (full - self.pace.interval_us).saturating_add(wait.clamp(1, self.pace.interval_us)),
                )
            }
        }
    }

    fn forget(&self) {
        let readers_now = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        if readers_now.len() <= MOST {
            return;
        }
        readers_now.retain_recent();
        if readers_now.len() <= MOST {
            return;
        }
        drop(readers_now);
        *self.readers.write().unwrap_or_else(PoisonError::into_inner) = readers(self.pace);
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Local")
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

fn readers(pace: Pace) -> Readers {
    let interval = Duration::from_micros(pace.interval_us);
    let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(pace.burst));
    RateLimiter::new(
        quota.allow_burst(pace.burst),
        DashMapStateStore::default(),
        DefaultClock::default(),
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{COUNT_EVERY, Local, MOST, Pace};

    fn an_hour_for(burst: u32) -> Local {
        Local::new(Pace {
            interval_us: 3_600_000_000,
            burst: NonZeroU32::new(burst).unwrap(),
        })
    }

    #[test]
    fn each_reader_has_a_burst() {
        let local = an_hour_for(3);
        let hour = local.pace().interval_us;
        let charges = |reader| std::array::from_fn::<_, 5, _>(|_| local.charge(reader));
        let [first, second, third, fourth, fifth] = charges(1);
        assert_eq!(
            [first, second, third],
            [(true, hour), (true, 2 * hour), (true, 3 * hour)]
        );
        for (admitted, debt) in [fourth, fifth] {
            let wait = local.pace().wait_us(debt);
            assert!(!admitted && wait > hour - 60_000_000 && wait <= hour, "{wait}");
        }
        assert_eq!(
            charges(2).map(|(admitted, _)| admitted),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn a_flood_of_readers_does_not_fill_the_memory() {
        let local = an_hour_for(1);
        let most = u32::try_from(MOST).unwrap() + COUNT_EVERY;
        for reader in 0..3 * most {
            local.charge(reader.into());
            let known = local.readers.read().unwrap().len();
            assert!(known <= most as usize, "{known}");
        }
        // Those in use are kept while there is room.
        assert!(!local.charge((3 * most - 1).into()).0);
    }
}
