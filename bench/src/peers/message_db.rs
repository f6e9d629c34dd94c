//! message-db: its own installer, its function `write_message`, called by pgbench. Best case: every client writes to a
//! category of its own, because message-db locks a category per message.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::pgbench::Script;
use super::{TRIAL, best, npm};
use crate::contender::Contender;
use crate::server::{Bench, connect, libpq};

/// Installs it into a database of its own and finds the number of clients that suits it.
pub(crate) async fn contender(bench: &Bench, scripts: &Path, length: Duration) -> anyhow::Result<Contender> {
    let url = database(bench).await?;
    let script = Script::write(
        scripts,
        "message_db",
        include_str!("../sql/write_message.sql"),
        &url,
        1,
    )?;
    let mut trials = Vec::new();
    for clients in [2, 4, 8, 16, 32, 64] {
        trials.push((clients, script.run(clients, TRIAL).await?));
    }
    let clients = best(&trials).context("no trial")?;
    let what = format!("first message of a stream, {clients} clients");
    Ok(script.contender("message-db (write_message)", what, clients, length))
}

/// A database of its own with nothing in it; the URL.
pub(crate) async fn database(bench: &Bench) -> anyhow::Result<String> {
    let url = bench.database("message_db").await?;
    install(&url).await?;
    Ok(url)
}

async fn install(url: &str) -> anyhow::Result<()> {
    let database = npm::directory().join("node_modules/@eventide/message-db/database");
    let settings = libpq(url)?;
    let name = settings
        .iter()
        .find(|(key, _)| *key == "PGDATABASE")
        .map(|(_, name)| name.clone())
        .context("a database")?;
    let output = Command::new("bash")
        .arg("install.sh")
        .current_dir(database)
        .envs(settings)
        .env("DATABASE_NAME", &name)
        .env("CREATE_DATABASE", "off")
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "message-db's installer failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    // As its own clients do: its functions call each other by bare names.
    let path = format!("alter database {name} set search_path to message_store, public");
    connect(url).await?.batch_execute(&path).await?;
    Ok(())
}
