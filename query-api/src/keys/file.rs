//! The two files of keys. Secrets in them are 32 bytes in base64url; they are written for their owner alone.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A larger file holds something else.
const MAX_BYTES: u64 = 64 * 1024;

/// Keys of QR codes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LicenseKeys {
    pub(super) keys: Vec<LicenseKey>,
}

/// A key of QR codes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LicenseKey {
    pub(super) kid: u16,
    pub(super) seed: String,
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

/// The key of the lists.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RootKey {
    pub(super) seed: String,
}

/// Reads a file as text.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if length.len() > MAX_BYTES {
        bail!("{} has more than {MAX_BYTES} bytes", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The keys in the text of a file. An error never shows the text.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> anyhow::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        anyhow::anyhow!(
            "{} is no file of keys (line {}, column {})",
            path.display(),
            error.line(),
            error.column()
        )
    })
}

/// Replaces the file at once: a reader finds the old one or the new one, never half of it.
pub(super) fn write(path: &Path, keys: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(keys)? + "\n";
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A new secret.
pub(super) fn new_seed() -> anyhow::Result<String> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| anyhow::anyhow!("no random numbers"))?;
    Ok(encoded(&seed))
}

/// Bytes as the files and lists have them.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a secret.
pub(super) fn decoded(seed: &str) -> anyhow::Result<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(seed)
        .map_err(|_| anyhow::anyhow!("a seed is not base64url"))
}
