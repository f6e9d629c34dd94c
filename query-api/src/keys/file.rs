//! Writing the two files of keys: for their owner alone.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use documents::keys::encode;
use serde::Serialize;

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
    Ok(encode(&seed))
}
