//! Injects faults into real processes, connections, files and streams, and ends them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use stack::{Network, Process, SmallDisk};
use tokio::time::Instant;

use super::fault::Fault;
use crate::Shop;
use crate::books::connect;
use crate::books::stream::stream;

/// How long to wait for a stream to damage: the relay may be creating it.
const STREAM_PATIENCE: Duration = Duration::from_secs(20);
/// How long the projector is stopped before the purge.
const MISSED: Duration = Duration::from_secs(1);
/// How long a server may take to recover by itself once it has space.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// An injected fault.
pub(super) struct Injected {
    /// When the fault ended, or its recovery began.
    pub(super) ended: Instant,
    /// What shows that it was done.
    pub(super) seen: String,
}

/// Injects the fault, keeps it for `lasts`, and ends it.
pub(super) async fn inject(shop: &Shop, fault: Fault, lasts: Duration) -> anyhow::Result<Injected> {
    let system = &shop.system;
    match fault {
        Fault::Kill(process) => {
            let pid = system.pid(process).context("it does not run")?;
            system.crash(process).await?;
            tokio::time::sleep(lasts).await;
            let ended = Instant::now();
            system.launch(process).await?;
            let seen = format!("pid {pid} is gone");
            Ok(Injected { ended, seen })
        }
        Fault::Pause(process) => {
            let pid = system.pid(process).context("it does not run")?;
            system.pause(process)?;
            tokio::time::sleep(lasts).await;
            let ended = Instant::now();
            system.resume(process)?;
            let seen = format!("pid {pid} stood still");
            Ok(Injected { ended, seen })
        }
        Fault::Network {
            program,
            server,
            network,
        } => {
            let connections = system.network(program, server, network)?;
            tokio::time::sleep(lasts).await;
            let ended = Instant::now();
            system.network(program, server, Network::Whole)?;
            let seen = format!("{connections} connections");
            Ok(Injected { ended, seen })
        }
        Fault::StreamPurged => {
            system.crash(Process::Projector).await?;
            tokio::time::sleep(MISSED).await;
            let seen = harm_stream(shop, fault).await?;
            let ended = Instant::now();
            system.launch(Process::Projector).await?;
            Ok(Injected { ended, seen })
        }
        Fault::StreamDeleted | Fault::StreamReplaced => {
            let seen = harm_stream(shop, fault).await?;
            let ended = Instant::now();
            Ok(Injected { ended, seen })
        }
        Fault::StoreWiped => wipe(shop, lasts).await,
        Fault::TailLost => lose_tail(shop, lasts).await,
        Fault::DiskFull(process) => fill_disk(shop, process, lasts).await,
        Fault::WebhooksLost | Fault::WebhooksForged | Fault::ProviderDown | Fault::AnswersLost => {
            let faults = match fault {
                Fault::WebhooksLost => json!({"webhooks": "drop"}),
                Fault::WebhooksForged => json!({"webhooks": "corrupt_signature"}),
                Fault::ProviderDown => json!({"api": "unavailable"}),
                _ => json!({"api": "answer_lost"}),
            };
            set_provider(shop, &faults).await?;
            tokio::time::sleep(lasts).await;
            let ended = Instant::now();
            set_provider(shop, &json!({})).await?;
            let seen = format!("the provider was told {faults}");
            Ok(Injected { ended, seen })
        }
    }
}

async fn set_provider(shop: &Shop, faults: &serde_json::Value) -> anyhow::Result<()> {
    let url = format!("{}/emulator/faults", shop.system.payment_emulator_url());
    shop.http()
        .post(url)
        .json(faults)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

/// Repeats until a stream existed to be damaged.
async fn harm_stream(shop: &Shop, fault: Fault) -> anyhow::Result<String> {
    let context = shop.bus("campaign").await?;
    let name = shop.system.stream();
    let deadline = Instant::now() + STREAM_PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    loop {
        pace.tick().await;
        let before = stream(shop).await;
        let last = before
            .as_ref()
            .map_or(0, |stream| stream.cached_info().state.last_sequence);
        let done = match (fault, before) {
            (_, None) => false,
            (Fault::StreamPurged, Some(stream)) => stream.purge().await.is_ok(),
            (Fault::StreamDeleted, Some(_)) => context.delete_stream(name).await.is_ok(),
            (_, Some(stream)) => {
                let mut config = stream.cached_info().config.clone();
                // As if made by hand: without the log's metadata, and starting at 1.
                config.metadata.clear();
                config.first_sequence = None;
                // If the relay is faster, its new stream must be replaced, too.
                context.delete_stream(name).await.is_ok() && context.create_stream(config).await.is_ok()
            }
        };
        if done {
            return Ok(format!("it was at sequence {last}"));
        }
        if Instant::now() > deadline {
            bail!("there was no stream to do it to");
        }
    }
}

async fn wipe(shop: &Shop, lasts: Duration) -> anyhow::Result<Injected> {
    let store = shop.system.servers().nats().data_dir()?.to_owned();
    shop.system.crash(Process::Nats).await?;
    let files = files_in(&store)?;
    std::fs::remove_dir_all(&store).context("cannot wipe the store")?;
    tokio::time::sleep(lasts).await;
    let ended = Instant::now();
    shop.system.launch(Process::Nats).await?;
    let seen = format!("{files} files are gone");
    Ok(Injected { ended, seen })
}

/// Stops NATS to copy its store, and later kills it to restore that copy.
async fn lose_tail(shop: &Shop, lasts: Duration) -> anyhow::Result<Injected> {
    let store = shop.system.servers().nats().data_dir()?.to_owned();
    let older = store.with_extension("older");
    shop.system.stop_one(Process::Nats).await?;
    copy(&store, &older)?;
    shop.system.start_one(Process::Nats).await?;
    let before = last_sequence(shop).await;
    tokio::time::sleep(lasts).await;
    let lost = last_sequence(shop).await.saturating_sub(before);
    shop.system.crash(Process::Nats).await?;
    std::fs::remove_dir_all(&store).context("cannot remove the store")?;
    std::fs::rename(&older, &store).context("cannot put the older store back")?;
    let ended = Instant::now();
    shop.system.launch(Process::Nats).await?;
    let seen = format!("{lost} messages or more are gone");
    Ok(Injected { ended, seen })
}

async fn last_sequence(shop: &Shop) -> u64 {
    let stream = stream(shop).await;
    stream.map_or(0, |stream| stream.cached_info().state.last_sequence)
}

async fn fill_disk(shop: &Shop, process: Process, lasts: Duration) -> anyhow::Result<Injected> {
    let servers = shop.system.servers();
    let disk = servers.disk(process).context("its disk is not a small one")?;
    let taken = disk.fill()?;
    let begun = Instant::now();
    let refused = match process {
        Process::Postgres => refused_by_postgres(shop).await,
        _ => String::new(),
    };
    tokio::time::sleep(lasts.saturating_sub(begun.elapsed())).await;
    let ended = Instant::now();
    SmallDisk::free(disk)?;
    let seen = format!("{taken} bytes were taken{refused}");
    Ok(Injected { ended, seen })
}

/// Restarts a server that ran out of space and does not recover, as a health probe would: nats-server reports itself
/// unhealthy until it is restarted. Returns whether that was needed.
pub(super) async fn revive(shop: &Shop, server: Process) -> anyhow::Result<bool> {
    let well = tokio::time::timeout(DISK_PATIENCE, shop.system.wait_ready(server)).await;
    if well.is_ok() {
        return Ok(false);
    }
    shop.system.crash(server).await?;
    shop.system.launch(server).await?;
    Ok(true)
}

/// Writes more than fits, and returns the refusal.
async fn refused_by_postgres(shop: &Shop) -> String {
    let url = shop.system.servers().postgres().url().to_owned();
    let writing = tokio::spawn(async move {
        let write =
            "create temporary table filler as select repeat('x', 1000) from generate_series(1, 20000)";
        connect(&url).await.batch_execute(write).await
    });
    match writing.await {
        Ok(Ok(())) => "; a write was not refused".into(),
        Ok(Err(error)) => {
            let why = error.as_db_error().map_or("gone", |error| error.message());
            format!("; a write was refused: {why}")
        }
        // No connection: the server is down already.
        Err(_) => "; it went down".into(),
    }
}

fn files_in(dir: &Path) -> anyhow::Result<usize> {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).context("cannot look into the store")? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() {
            files_in(&entry.path())?
        } else {
            1
        };
    }
    Ok(files)
}

/// Copies a directory.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).context("cannot look into the store")? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &copied)?;
        } else {
            std::fs::copy(entry.path(), copied)?;
        }
    }
    Ok(())
}
