//! Progress of long work on standard error: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(200);
const NEXT_LINE: Duration = Duration::from_secs(1);
const WIDTH: u64 = 24;

/// Prints progress at intervals. Work that is shorter than one interval prints nothing.
pub(crate) struct Progress {
    doing: &'static str,
    of: u64,
    begun: Instant,
    said: Instant,
    terminal: bool,
    drawn: bool,
}

impl Progress {
    /// Of work with `of` steps, which begins now.
    pub(crate) fn new(doing: &'static str, of: u64) -> Self {
        let begun = Instant::now();
        Self {
            doing,
            of,
            begun,
            said: begun,
            terminal: io::stderr().is_terminal(),
            drawn: false,
        }
    }

    /// This many steps are done.
    pub(crate) fn at(&mut self, done: u64) {
        let every = if self.terminal { REDRAW } else { NEXT_LINE };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        let (doing, line) = (self.doing, line(done, self.of, self.begun.elapsed()));
        let mut err = io::stderr();
        // Progress is no result: a closed standard error is ignored.
        let _ = if self.terminal {
            self.drawn = true;
            write!(err, "\r{doing} {} {line}\x1b[K", bar(done, self.of))
        } else {
            writeln!(err, "{doing}: {line}")
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: u64, of: u64) -> String {
    let full = (done.saturating_mul(WIDTH) / of.max(1)).min(WIDTH);
    let cells = (0..WIDTH).map(|cell| if cell < full { '#' } else { '.' });
    format!("[{}]", cells.collect::<String>())
}

fn line(done: u64, of: u64, elapsed: Duration) -> String {
    let percent = done.saturating_mul(100) / of.max(1);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = done.saturating_mul(1_000) / millis;
    let left = of.saturating_sub(done) / per_second.max(1);
    format!("{done} of {of} ({percent} %), {per_second}/s, {left} s left")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bar, line};

    #[test]
    fn it_says_how_much_how_fast_and_how_long_still() {
        let said = line(30_000, 120_000, Duration::from_millis(500));
        assert_eq!(said, "30000 of 120000 (25 %), 60000/s, 1 s left");
        assert_eq!(line(0, 0, Duration::ZERO), "0 of 0 (0 %), 0/s, 0 s left");
        assert_eq!(bar(1, 2), "[############............]");
        assert_eq!(bar(9, 2), "[########################]");
    }
}
