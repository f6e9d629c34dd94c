//! The shape of the incumbent: Prisma on pg, pages by offset, in a Node server of its own.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::npm;

/// As many connections as query-api has.
const CONNECTIONS: usize = 8;

/// A server that runs until this is dropped.
pub(crate) struct Prisma {
    pub(crate) address: String,
    _server: Child,
}

/// Starts it on the database at `url`.
pub(crate) async fn start(url: &str) -> anyhow::Result<Prisma> {
    #[derive(Deserialize)]
    struct Started {
        port: u16,
    }
    npm::install().await?;
    generate().await?;
    let mut server = Command::new("node")
        .args(["prisma.mjs", &CONNECTIONS.to_string()])
        .current_dir(npm::directory())
        .env("DATABASE_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node is not installed: needed for the peers that come from npm")?;
    let output = server.stdout.take().context("its output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    let started: Started = serde_json::from_str(&line.context("prisma.mjs ended")?)?;
    Ok(Prisma {
        address: format!("127.0.0.1:{}", started.port),
        _server: server,
    })
}

/// Writes the client for the model.
async fn generate() -> anyhow::Result<()> {
    let output = Command::new("npx")
        .args(["prisma", "generate", "--config", "config.mjs"])
        .current_dir(npm::directory().join("prisma"))
        // Asks for a program that is needed for migrations only, and that comes from elsewhere than npm.
        .env("PRISMA_SCHEMA_ENGINE_BINARY", "/bin/true")
        .stdin(Stdio::null())
        .output()
        .await
        .context("npx is not installed: needed for the peers that come from npm")?;
    ensure!(
        output.status.success(),
        "prisma generate failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
