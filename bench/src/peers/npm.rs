//! The peers that come from npm, installed once under `bench/npm`, by the lock file, and the small programs there that use
//! them as their users do.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::account::payload;

/// Where the packages are.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("npm")
}

/// Installs them unless they are there.
pub(crate) async fn install() -> anyhow::Result<()> {
    let packages = directory().join("node_modules");
    if packages.join("@eventide/message-db").is_dir() && packages.join("@prisma/adapter-pg").is_dir() {
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

/// Runs one of the programs on the database at `url`; the figures that it prints.
pub(crate) async fn figures<T: DeserializeOwned>(
    program: &str,
    arguments: &[String],
    url: &str,
) -> anyhow::Result<T> {
    let printed = run(program, arguments, url).await?;
    serde_json::from_slice(&printed).with_context(|| format!("{program}'s figures"))
}

/// Runs one of the programs; what it prints.
pub(crate) async fn run(program: &str, arguments: &[String], url: &str) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("node")
        .arg(program)
        .args(arguments)
        .current_dir(directory())
        .env("DATABASE_URL", url)
        .env("PAYLOAD", payload(1)?)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("node is not installed: needed for the peers that come from npm")?;
    ensure!(
        output.status.success(),
        "{program} {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}
