//! The keys that seal cookies: AES-256-GCM, from a file that is read again while the program serves.
//!
//! A sealed text is `name.content`: the name of its key, and nonce, ciphertext and tag in base 64. The first key of the file
//! seals and all of them open, so a rotation ends no session: add the new key behind the others at every instance, then move
//! it to the front, and take the older ones away when no session of theirs is left.

mod ring;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::health::Check;
use service::problem::Problem;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::metrics;

pub use ring::Ring;

/// How often the file is looked at.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Seals and opens with the keys that there are now. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seal {
    ring: watch::Receiver<Arc<Ring>>,
}

impl Seal {
    /// With keys that do not change.
    #[cfg(test)]
    pub(crate) fn fixed(ring: Ring) -> Self {
        let (_, ring) = watch::channel(Arc::new(ring));
        Self { ring }
    }

    /// A sealed text that opens only as a value of this purpose.
    pub fn seal(&self, purpose: &str, value: &impl Serialize) -> Result<String, Problem> {
        let ring = Arc::clone(&self.ring.borrow());
        let plain = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
        ring.seal(purpose, plain)
            .map_err(|error| Problem::internal(&error))
    }

    /// The value in a text that was sealed for this purpose. Nothing if it was not, was changed, or its key is gone.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        let ring = Arc::clone(&self.ring.borrow());
        serde_json::from_slice(&ring.open(purpose, text)?).ok()
    }
}

/// The file, with the text that was read last.
struct File {
    path: PathBuf,
    seen: Option<String>,
}

impl File {
    /// The keys, if the file has changed since the last time.
    fn read(&mut self) -> anyhow::Result<Option<Ring>> {
        let name = || format!("--session-keys-file: {}", self.path.display());
        let text = std::fs::read_to_string(&self.path).with_context(name)?;
        if self.seen.as_ref() == Some(&text) {
            return Ok(None);
        }
        let ring = Ring::parse(&text)
            .map_err(anyhow::Error::msg)
            .with_context(name)?;
        self.seen = Some(text);
        Ok(Some(ring))
    }
}

/// Reads the keys now, and again when the file changes. While the file is bad the keys do not change, and `check` is
/// degraded.
pub fn follow(
    path: PathBuf,
    period: Duration,
    check: Check,
    shutdown: CancellationToken,
) -> anyhow::Result<Seal> {
    let mut file = File { path, seen: None };
    let first = file.read()?.context("no keys")?;
    check.ok();
    let (sender, ring) = watch::channel(Arc::new(first));
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One line for each time that the file becomes bad.
        let mut is_bad = false;
        loop {
            ticks.tick().await;
            // A small local file: not worth another thread.
            match file.read() {
                Ok(changed) => {
                    if let Some(ring) = changed {
                        tracing::info!(seals = ring.first(), "read the session keys again");
                        metrics::count(metrics::KEY_RELOADS, "ok");
                        sender.send_replace(Arc::new(ring));
                    }
                    check.ok();
                    is_bad = false;
                }
                Err(error) => {
                    check.degraded("the session keys cannot be read again: the last good ones are used");
                    if !std::mem::replace(&mut is_bad, true) {
                        tracing::error!(error = %format!("{error:#}"), "cannot read the session keys again");
                        metrics::count(metrics::KEY_RELOADS, "failed");
                    }
                }
            }
        }
    }));
    Ok(Seal { ring })
}
