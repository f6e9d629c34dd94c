//! The delay before a process that died is restarted: none, unless it dies repeatedly.

use std::time::Duration;

/// A process that ran this long is restarted at once. Repeated earlier deaths delay the restart.
const HEALTHY_LIFE: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Zero for the first early death, then doubling.
#[derive(Default)]
pub(crate) struct Backoff {
    early_deaths: u32,
}

impl Backoff {
    /// The delay before the restart of a process that ran this long.
    pub(crate) fn after(&mut self, life: Duration) -> Duration {
        self.early_deaths = if life > HEALTHY_LIFE {
            1
        } else {
            self.early_deaths.saturating_add(1)
        };
        match self.early_deaths.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_BACKOFF
                .saturating_mul(1 << doublings.min(10))
                .min(LONGEST_BACKOFF),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_death_restarts_at_once_and_repeated_ones_wait_longer() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9)
            .map(|_| backoff.after(Duration::from_secs(1)).as_millis())
            .collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.after(Duration::from_mins(1)), Duration::ZERO);
    }
}
