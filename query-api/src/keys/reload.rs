//! Keys are read again while the program serves, so that a rotation needs no restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use documents::keys::read;
use service::health::Check;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::ring::Ring;
use crate::metrics;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(5);

/// Signs with the keys that there are now. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Signer {
    ring: watch::Receiver<Arc<Ring>>,
}

impl Signer {
    /// The keys as they are now; a request uses the same ones throughout.
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.borrow())
    }
}

/// The two files, with the text that was read last.
struct Files {
    keys: PathBuf,
    root: PathBuf,
    seen: Option<(String, String)>,
}

impl Files {
    /// The keys, if a file has changed since the last time.
    fn read(&mut self) -> anyhow::Result<Option<Ring>> {
        let texts = (read(&self.keys)?, read(&self.root)?);
        if self.seen.as_ref() == Some(&texts) {
            return Ok(None);
        }
        let ring = Ring::parse((&self.keys, &texts.0), (&self.root, &texts.1))?;
        self.seen = Some(texts);
        Ok(Some(ring))
    }
}

/// Reads the keys now, and again when a file changes. While a file is bad the keys do not change, and `check` is
/// degraded.
pub fn follow(
    keys: PathBuf,
    root: PathBuf,
    check: Check,
    shutdown: CancellationToken,
) -> anyhow::Result<Signer> {
    let mut files = Files {
        keys,
        root,
        seen: None,
    };
    let first = files.read()?.ok_or_else(|| anyhow::anyhow!("no keys"))?;
    observe(&first);
    check.ok();
    let (sender, ring) = watch::channel(Arc::new(first));
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One line for each time that a file becomes bad.
        let mut is_bad = false;
        loop {
            ticks.tick().await;
            // Two small local files: not worth another thread.
            match files.read() {
                Ok(changed) => {
                    if let Some(ring) = changed {
                        let signs = ring.licenses.signing_at(Utc::now()).map(|key| key.id);
                        tracing::info!(kid = signs, "read the license keys again");
                        ::metrics::counter!(metrics::KEY_RELOADS, "outcome" => "ok").increment(1);
                        sender.send_replace(Arc::new(ring));
                    }
                    check.ok();
                    is_bad = false;
                }
                Err(error) => {
                    check.degraded("the license keys cannot be read again: the last good ones are used");
                    if !std::mem::replace(&mut is_bad, true) {
                        tracing::error!(error = %format!("{error:#}"), "cannot read the license keys again");
                        ::metrics::counter!(metrics::KEY_RELOADS, "outcome" => "failed").increment(1);
                    }
                }
            }
            let ring = Arc::clone(&sender.borrow());
            observe(&ring);
        }
    }));
    Ok(Signer { ring })
}

/// How long the key that signs is still accepted. Licenses are sold for a year ahead.
fn observe(ring: &Ring) {
    let now = Utc::now();
    let left = ring
        .licenses
        .signing_at(now)
        .map_or(0, |key| (key.not_after - now).num_seconds());
    // A gauge of some years in seconds is exact.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    ::metrics::gauge!(metrics::KEY_VALID_SECONDS).set(left as f64);
}
