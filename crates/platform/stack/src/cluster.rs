//! A PostgreSQL by itself, for tests that take it away: restarted, its disk full, replaced by its standby, restored to an
//! earlier point from a base backup and archived WAL.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use connect::Database;
use tokio::process::Command;
use tokio_postgres::Client;

use crate::binaries::Found;
use crate::checkout::{create_dir, write_private};
use crate::install::needed;
use crate::scratch::Scratch;
use crate::secrets::random_hex;
use crate::servers::Server;
use crate::servers::postgres::{ADMIN, Cluster, hand_over, initialise, run_as};

/// How long a server may take to finish its recovery.
const DEADLINE: Duration = Duration::from_secs(30);

/// A private PostgreSQL server that can be copied.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    cluster: Cluster,
    /// Last, so that it is removed after the server is gone.
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

    /// The server, to be stopped, killed and started.
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

    /// Begins to copy finished WAL to a directory; needs `archive_mode=on` from the start.
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

    /// Names this moment, and waits until the WAL up to it is in `archive`.
    pub async fn restore_point(&self, name: &str, archive: &Path) -> anyhow::Result<()> {
        let admin = self.admin().await?;
        let file: String = admin
            .query_one("select pg_walfile_name(pg_create_restore_point($1))", &[&name])
            .await?
            .get(0);
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

    /// A copy of everything as of now, which WAL can be replayed on.
    pub async fn base_backup(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.copy(name, &[]).await
    }

    /// A standby that follows this server, started.
    pub async fn standby(&self, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let cluster = Cluster {
            data: self.copy("standby", &["--write-recovery-conf"]).await?,
            log: self.scratch.path().join("standby.log"),
            ..self.cluster.clone()
        };
        let standby = Self {
            server: cluster.server(&owned(settings), None)?,
            cluster,
            scratch: Arc::clone(&self.scratch),
        };
        standby.server.start().await?;
        Ok(standby)
    }

    /// Makes a standby a server in its own right.
    pub async fn promote(&self) -> anyhow::Result<()> {
        self.admin().await?.execute("select pg_promote()", &[]).await?;
        self.recovered().await
    }

    /// Replaces everything by the backup, replays archived WAL up to the named restore point, and starts as a new life of
    /// the same server at the same port. What was there lies aside.
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

    async fn copy(&self, name: &str, more: &[&str]) -> anyhow::Result<PathBuf> {
        let target = self.directory(name)?;
        let url = self.server.url();
        let host = url.rsplit('@').next().and_then(|rest| rest.split('/').next());
        let (host, port) = host.and_then(|host| host.split_once(':')).context("no port")?;
        let mut command = Command::new(self.cluster.bin.join("pg_basebackup"));
        command
            .args(["--host", host, "--port", port, "--username", ADMIN])
            .args([
                "--checkpoint=fast",
                "--wal-method=stream",
                "--no-sync",
                "--pgdata",
            ])
            .arg(&target)
            .args(more)
            .env("PGPASSWORD", &self.cluster.password)
            .current_dir(&target)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(run_as) = self.cluster.run_as {
            command.uid(run_as.uid).gid(run_as.gid);
        }
        let output = command.output().await.context("cannot run pg_basebackup")?;
        if !output.status.success() {
            bail!(
                "pg_basebackup failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(target)
    }
}

impl Cluster {
    /// Gives a file or directory to who runs the server.
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
