//! The servers that all contenders share: private ones, with the settings of `make up`, durable, gone afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use deadpool_postgres::{Manager, Pool};
use stack::{Servers, ServersConfig};
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

/// Servers for one benchmark.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) servers: Arc<Servers>,
    directory: PathBuf,
}

impl Bench {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("bilsport-bench-{}", Uuid::new_v4().simple()));
        let servers = Servers::given_or_private(&ServersConfig {
            replicas: 0,
            data: directory.join("data"),
            data_outside: directory.join("data"),
            logs: directory.join("logs"),
            pids: None,
            durable: true,
            any_stream: true,
            tls: false,
        })
        .await?;
        Ok(Self {
            servers: Arc::new(servers),
            directory,
        })
    }

    /// A new, empty database; the administrator's URL for it.
    pub(crate) async fn database(&self, name: &str) -> anyhow::Result<String> {
        let name = format!("{name}_{}", Uuid::new_v4().simple());
        connect(self.servers.postgres().url())
            .await?
            .batch_execute(&format!("create database {name}"))
            .await?;
        let (server, _) = self
            .servers
            .postgres()
            .url()
            .rsplit_once('/')
            .context("a URL with a database")?;
        Ok(format!("{server}/{name}"))
    }

    /// Has the server write out what earlier runs left, so that the next one doesn't pay for it.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<()> {
        connect(self.servers.postgres().url())
            .await?
            .batch_execute("checkpoint")
            .await?;
        Ok(())
    }

    pub(crate) async fn stop(self) {
        self.servers.stop().await;
        remove(&self.directory);
    }
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        warn(directory, &error);
    }
}

#[expect(clippy::print_stderr, reason = "a program for the terminal")]
fn warn(directory: &Path, error: &std::io::Error) {
    eprintln!("cannot remove {}: {error}", directory.display());
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn pool(url: &str, size: usize) -> anyhow::Result<Pool> {
    Ok(Pool::builder(Manager::new(url.parse()?, NoTls))
        .max_size(size)
        .build()?)
}

/// The environment of libpq's programs, from a URL.
pub(crate) fn libpq(url: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let config: Config = url.parse()?;
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        _ => "127.0.0.1".into(),
    };
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Ok(vec![
        ("PGHOST", host),
        ("PGPORT", config.get_ports().first().unwrap_or(&5432).to_string()),
        ("PGUSER", config.get_user().unwrap_or("postgres").into()),
        ("PGPASSWORD", text(config.get_password())),
        ("PGDATABASE", config.get_dbname().unwrap_or("postgres").into()),
    ])
}

/// Resident memory of a process, in MB (2^20 bytes).
pub(crate) fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
