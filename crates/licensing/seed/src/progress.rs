//! How far a history is, on standard error, once a second.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// How often it is printed; into a file less often.
const EVERY: Duration = Duration::from_secs(1);
const EVERY_IN_A_FILE: Duration = Duration::from_secs(10);
/// The length of the bar, in characters.
const BAR: u64 = 30;

/// How far a history is.
pub(crate) struct Progress {
    began: Instant,
    printed: Instant,
    /// Events that were there before.
    before: u64,
    orders: u64,
    terminal: bool,
}

impl Progress {
    pub(crate) fn of(orders: usize, before: u64) -> Self {
        Self {
            began: Instant::now(),
            printed: Instant::now(),
            before,
            orders: (orders as u64).max(1),
            terminal: stderr().is_terminal(),
        }
    }

    /// Events recorded in a second, so far.
    pub(crate) fn rate(&self, events: u64) -> u64 {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (events - self.before) * 1000 / millis.max(1)
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Prints it, if it is time.
    pub(crate) fn reached(&mut self, events: u64, orders: usize) {
        let every = if self.terminal { EVERY } else { EVERY_IN_A_FILE };
        if self.printed.elapsed() < every {
            return;
        }
        self.printed = Instant::now();
        let orders = (orders as u64).min(self.orders);
        let full = BAR * orders / self.orders;
        let bar: String = (0..BAR).map(|at| if at < full { '#' } else { '.' }).collect();
        let left = match orders {
            0 => "?".to_owned(),
            orders => {
                let seconds = self.began.elapsed().as_secs() * (self.orders - orders) / orders;
                format!("{}:{:02}", seconds / 60, seconds % 60)
            }
        };
        let line = format!(
            "[{bar}] {:3} %  {events} events, {}/s, {left} left",
            100 * orders / self.orders,
            self.rate(events)
        );
        // Progress is optional: a closed standard error stops nothing.
        let end = if self.terminal { "\x1b[K\r" } else { "\n" };
        let _ = write!(stderr(), "{line}{end}");
    }

    /// Leaves the line.
    pub(crate) fn end(&self) {
        if self.terminal {
            let _ = writeln!(stderr());
        }
    }
}
