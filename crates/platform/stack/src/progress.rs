//! Progress lines on the terminal: one per step with the time since the start, and another every few seconds while a step
//! runs. Tests use the silent kind.

use std::io::Write as _;
use std::time::{Duration, Instant};

const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Where progress lines go. Cloned freely; clones share the start time.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    start: Option<Instant>,
}

impl Progress {
    /// Lines on standard output, each with the seconds since now.
    pub fn console() -> Self {
        Self {
            start: Some(Instant::now()),
        }
    }

    /// No output at all.
    pub fn silent() -> Self {
        Self { start: None }
    }

    /// Prints one line.
    pub fn line(&self, text: &str) {
        if let Some(start) = self.start {
            write_out(&format!("[{:6.1} s] {text}\n", start.elapsed().as_secs_f64()));
        }
    }

    /// Prints text without a time: the closing summary.
    pub fn plain(&self, text: &str) {
        if self.start.is_some() {
            write_out(&format!("{text}\n"));
        }
    }

    /// Runs a step and prints when it starts, that it still runs, and how long it took.
    pub async fn step<T>(
        &self,
        what: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.line(&format!("{what} …"));
        let begun = Instant::now();
        let mut work = std::pin::pin!(work);
        let result = loop {
            match tokio::time::timeout(SIGN_OF_LIFE, &mut work).await {
                Ok(result) => break result,
                Err(_) => self.line(&format!(
                    "{what} … still working ({} s)",
                    begun.elapsed().as_secs()
                )),
            }
        };
        if result.is_ok() {
            self.line(&format!("{what}: done in {} ms", begun.elapsed().as_millis()));
        }
        result
    }
}

/// A closed pipe (`make up | head`) must not stop the servers, so a failed write is ignored.
fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
