//! A PostgreSQL server for tests of outages: restart, full disk, failover to a standby, and a restore to an earlier point
//! from a base backup and archived WAL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use connect::Database;
use tokio::process::Command;
use tokio_postgres::Client;

use crate::binaries::Found;
use crate::checkout::{create_dir, write_private};
use crate::install::needed;
use crate::run_as::{hand_over, run_as};
use crate::scratch::Scratch;
use crate::secrets::random_hex;
use crate::servers::Server;
use crate::servers::postgres::{Cluster, initialise};

/// How long a server may take to finish its recovery.
const DEADLINE: Duration = Duration::from_secs(30);

/// A private PostgreSQL server that can be copied.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    cluster: Cluster,
    /// The last field, so that the directory is removed after the server is gone.
    scratch: Arc<Scratch>,
}

impl Postgres {
    /// A new server with these settings on top of the usual ones, in a directory that disappears with it.
    pub async fn temporary(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let scratch = Arc::new(Scratch::create()?);
        let home = scratch.path().to_owned();
        Self::create(scratch, &home, settings).await
    }

    /// As [`Postgres::temporary`], with its data in a directory of the caller's.
    pub async fn temporary_in(dir: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::create(Arc::new(Scratch::create()?), dir, settings).await
    }

    async fn create(scratch: Arc<Scratch>, dir: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = scratch.path().to_owned();
        let bin = needed(Found::search().postgres, "PostgreSQL >= 15")?;
        let (data, run_as) = (dir.join("postgres"), run_as()?);
        let (password, file) = (random_hex()?, home.join("postgres.password"));
        write_private(&file, password.as_bytes())?;
        initialise(&bin, &data, &file, run_as, false).await?;
        let cluster = Cluster {
            name: "postgres",
            bin,
            data,
            password,
            log: home.join("postgres.log"),
            run_as,
            durable: false,
        };
        let postgres = Self {
            server: cluster.server(&owned(settings), None)?,
            cluster,
            scratch,
        };
        postgres.server.start().await?;
        Ok(postgres)
    }

    /// The server, to stop, kill and start it.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its administrator's connection.
    pub async fn admin(&self) -> anyhow::Result<Client> {
        connect(self.server.url()).await
    }

    /// A new directory that the server may write to.
    pub fn directory(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.scratch.path().join(name);
        create_dir(&path, 0o700)?;
        self.cluster.hand_over(&path)?;
        Ok(path)
    }

    /// Starts archiving of finished WAL into a directory; needs `archive_mode=on` from the server's start.
    pub async fn archive(&self) -> anyhow::Result<PathBuf> {
        let archive = self.directory("archive")?;
        let admin = self.admin().await?;
        let command = format!("cp %p {}/%f", archive.display());
        admin
            .batch_execute(&format!("alter system set archive_command = '{command}'"))
            .await?;
        admin.batch_execute("select pg_reload_conf()").await?;
        Ok(archive)
    }

    /// Creates a named restore point, and waits until the WAL up to it is in `archive`.
    pub async fn restore_point(&self, name: &str, archive: &Path) -> anyhow::Result<()> {
        let admin = self.admin().await?;
        let file: String = admin
            .query_one("select pg_walfile_name(pg_create_restore_point($1))", &[&name])
            .await?
            .try_get(0)?;
        admin.execute("select pg_switch_wal()", &[]).await?;
        let begun = Instant::now();
        while !archive.join(&file).exists() {
            if begun.elapsed() > DEADLINE {
                bail!("the WAL was not archived");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Takes a base backup, on which WAL can be replayed.
    pub async fn base_backup(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.copy(name, &[]).await?.data)
    }

    /// A standby that follows this server, started.
    pub async fn standby(&self, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let name = format!("standby-{}", random_hex()?);
        let cluster = self.copy(&name, &["--write-recovery-conf"]).await?;
        let standby = Self {
            server: cluster.server(&owned(settings), None)?,
            cluster,
            scratch: Arc::clone(&self.scratch),
        };
        standby.server.start().await?;
        Ok(standby)
    }

    /// Promotes a standby.
    pub async fn promote(&self) -> anyhow::Result<()> {
        self.admin().await?.execute("select pg_promote()", &[]).await?;
        self.recovered().await
    }

    /// Restores the backup, replays archived WAL up to the named restore point, and starts on a new timeline at the same port.
    /// The data from before is kept in another directory.
    pub async fn restore(&self, backup: &Path, archive: &Path, restore_point: &str) -> anyhow::Result<()> {
        self.server.stop().await?;
        let data = &self.cluster.data;
        std::fs::rename(data, data.with_extension("before"))?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg(backup)
            .arg(data)
            .status()
            .await?;
        if !copied.success() {
            bail!("cannot copy the backup");
        }
        let conf = data.join("postgresql.auto.conf");
        let recovery = format!(
            "restore_command = 'cp {}/%f %p'\nrecovery_target_name = '{restore_point}'\nrecovery_target_action = 'promote'\n",
            archive.display()
        );
        std::fs::write(conf, recovery)?;
        let signal = data.join("recovery.signal");
        std::fs::write(&signal, "")?;
        self.cluster.hand_over(&signal)?;
        self.server.start().await?;
        self.recovered().await
    }

    async fn copy(&self, name: &str, more: &[&str]) -> anyhow::Result<Cluster> {
        let home = self.scratch.path();
        let copy = Cluster {
            data: home.join(name),
            log: home.join(format!("{name}.log")),
            ..self.cluster.clone()
        };
        copy.copy_of(self.server.url(), more).await?;
        Ok(copy)
    }

    async fn recovered(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let admin = self.admin().await?;
            let recovering = admin.query_one("select pg_is_in_recovery()", &[]).await?;
            if !recovering.get::<_, bool>(0) {
                return Ok(());
            }
            if begun.elapsed() > DEADLINE {
                bail!("the server is still recovering");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Cluster {
    /// Gives a file or directory to the user who runs the server.
    pub(crate) fn hand_over(&self, path: &Path) -> anyhow::Result<()> {
        hand_over(path, self.run_as)
    }
}

fn owned<'a>(settings: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let owned = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
    owned.collect()
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = Box::pin(Database::parse(url)?.connect()).await?;
    tokio::spawn(connection);
    Ok(client)
}
