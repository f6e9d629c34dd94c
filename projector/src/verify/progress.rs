//! Where a long look stands, on standard error, for the person who waits.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Says at most once a second how far it has come; nothing at all of what takes less.
pub(crate) struct Progress {
    doing: &'static str,
    of: u64,
    said: Instant,
}

impl Progress {
    /// Something with `of` steps begins.
    pub(crate) fn new(doing: &'static str, of: u64) -> Self {
        let said = Instant::now();
        Self { doing, of, said }
    }

    /// It has come this far.
    pub(crate) fn at(&mut self, done: u64) {
        if self.said.elapsed() < EVERY {
            return;
        }
        self.said = Instant::now();
        let Self { doing, of, .. } = self;
        let percent = done.saturating_mul(100) / (*of).max(1);
        // Who does not read it does not need it.
        let _ = writeln!(io::stderr(), "{doing}: {done} of {of} ({percent} %)");
    }
}
