//! The peers that come from npm, installed once under `bench/npm`, by the lock file.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// Where the packages are.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("npm")
}

/// Installs them unless they are there.
pub(crate) async fn install() -> anyhow::Result<()> {
    if directory().join("node_modules/@eventide/message-db").is_dir() {
        return Ok(());
    }
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(directory())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await
        .context("npm is not installed: needed for the peers that come from there")?;
    ensure!(status.success(), "npm ci failed in {}", directory().display());
    Ok(())
}
