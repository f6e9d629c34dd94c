//! A PostgreSQL cluster of our own: created once, then started with the settings of this file. And its streaming replicas.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::{Private, Server, ServersConfig};
use crate::certificates::ServerFiles;
use crate::checkout::{create_dir, write_private};
use crate::daemon::{Daemon, Family};
use crate::install::needed;
use crate::launch::Launch;
use crate::ports::Port;
use crate::process::Process;
use crate::readiness::Question;
use crate::run_as::{RunAs, hand_over, run_as};
use crate::secrets::random_hex;

/// The administrator's name; the applications have roles of their own.
pub(crate) const ADMIN: &str = "postgres";

const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "200"),
    ("shared_buffers", "256MB"),
    ("synchronous_commit", "on"),
    ("max_wal_size", "2GB"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("idle_in_transaction_session_timeout", "60s"),
    // Statements and details of an error hold personal data.
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
];

/// What a server needs that has replicas: they find what they missed while they were down.
const OF_PRIMARIES: (&str, &str) = ("wal_keep_size", "512MB");

/// Settings of replicas. A row that a statement there still sees is kept by the primary. What can't be kept, such as a table
/// that is replaced, is waited for so long, and then the statement is ended: replicas are read to be up to date.
const OF_REPLICAS: &[(&str, &str)] = &[
    ("hot_standby_feedback", "on"),
    ("max_standby_streaming_delay", "2s"),
];

/// Creates the cluster unless it exists, and returns how to run it and its replicas.
pub(super) async fn prepare(
    config: &ServersConfig,
    bin: Option<PathBuf>,
    tls: Option<&ServerFiles>,
) -> anyhow::Result<(Server, Vec<Replica>)> {
    let bin = needed(bin, "PostgreSQL >= 15")?;
    let run_as = run_as()?;
    let home = config.reachable_data()?;
    let data = home.join("postgres");
    let password = home.join("postgres.password");
    if !data.exists() {
        write_private(&password, random_hex()?.as_bytes())?;
        initialise(&bin, &data, &password, run_as, config.durable).await?;
    }
    let password = std::fs::read_to_string(&password).with_context(|| {
        format!(
            "cannot read {}; `make clean-data` starts afresh",
            password.display()
        )
    })?;
    let pid_file = config.pids.as_ref().map(|pids| pids.join("postgres"));
    let cluster = Cluster {
        name: Process::Postgres.name(),
        bin,
        data,
        password,
        log: config.logs.join("postgres.log"),
        run_as,
        durable: config.durable,
    };
    let mut settings = Vec::new();
    if let Some(tls) = tls {
        let rules = home.join("pg_hba.conf");
        write_private(&rules, ONLY_TLS.as_bytes())?;
        cluster.hand_over(&rules)?;
        let file = |path: &Path| path.display().to_string();
        settings.extend([
            ("hba_file", file(&rules)),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", file(&tls.server.certificate)),
            ("ssl_key_file", file(&tls.server.key)),
            ("ssl_ca_file", file(&tls.clients.authority)),
        ]);
    }
    let mut of_primary = settings.clone();
    if config.replicas > 0 {
        of_primary.push((OF_PRIMARIES.0, OF_PRIMARIES.1.to_owned()));
    }
    let server = with_tls(cluster.server(&of_primary, pid_file)?, tls);
    let replicas = Process::REPLICAS.into_iter().take(config.replicas.into());
    let replicas = replicas.map(|process| {
        let name = process.name();
        let cluster = Cluster {
            name,
            data: home.join(name),
            log: config.logs.join(format!("{name}.log")),
            ..cluster.clone()
        };
        let of_replica = OF_REPLICAS
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let settings: Vec<_> = settings.iter().cloned().chain(of_replica).collect();
        let pid_file = config.pids.as_ref().map(|pids| pids.join(name));
        Ok(Replica {
            server: with_tls(cluster.server(&settings, pid_file)?, tls),
            cluster,
            primary: server.url.clone(),
        })
    });
    let replicas = replicas.collect::<anyhow::Result<_>>()?;
    Ok((server, replicas))
}

fn with_tls(mut server: Server, tls: Option<&ServerFiles>) -> Server {
    if let Some(tls) = tls {
        server.url = format!("{}?{}", server.url, tls.clients.url_parameters());
        if let Some(private) = &mut server.private {
            private.ready = Question::Postgres(server.url.clone());
        }
    }
    server
}

/// A streaming replica. It begins with a copy of the primary's data each time that the servers are started, so that it does not
/// matter what became of either meanwhile.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) server: Server,
    cluster: Cluster,
    primary: String,
}

impl Replica {
    /// Copies the primary, which must run, and starts.
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        if self.server.pid().is_some() {
            return Ok(());
        }
        let data = &self.cluster.data;
        if data.exists() {
            let removed = tokio::fs::remove_dir_all(data).await;
            removed.with_context(|| format!("cannot remove {}", data.display()))?;
        }
        self.cluster
            .copy_of(&self.primary, &["--write-recovery-conf"])
            .await?;
        self.server.start().await
    }
}

/// `pg_hba.conf` with TLS: a certificate of the stack's authority and a password are required.
const ONLY_TLS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl replication all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
";

/// A data directory and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Its name among the processes.
    pub(crate) name: &'static str,
    pub(crate) bin: PathBuf,
    pub(crate) data: PathBuf,
    /// The administrator's.
    pub(crate) password: String,
    pub(crate) log: PathBuf,
    pub(crate) run_as: Option<RunAs>,
    pub(crate) durable: bool,
}

impl Cluster {
    /// A server for it on its own port, with settings on top of the common ones.
    pub(crate) fn server(
        &self,
        settings: &[(&str, String)],
        pid_file: Option<PathBuf>,
    ) -> anyhow::Result<Server> {
        let port = Port::any()?;
        let url = format!("postgres://{ADMIN}:{}@{}/postgres", self.password, port.address());
        let data = self.data.clone();
        let launch = Launch {
            name: self.name,
            program: self.bin.join("postgres"),
            args: arguments(&data, &port, self.durable, settings),
            env: Vec::new(),
            dir: data.clone(),
            log: self.log.clone(),
            pid_file,
            run_as: self.run_as,
            // "Fast": ends sessions instead of waiting for them.
            stop_signal: Signal::SIGINT,
        };
        let family = Family {
            dir: data.clone(),
            lock_file: data.join("postmaster.pid"),
            outlives: false,
        };
        let daemon = Daemon::new(launch, Some(family));
        let ready = Question::Postgres(url.clone());
        Ok(Server {
            name: self.name,
            url,
            private: Some(Private {
                daemon,
                ready,
                data,
                _ports: vec![port],
            }),
        })
    }
}

impl Cluster {
    /// Copies the data of the running server at `url` to where this cluster has its own, which is not there yet.
    pub(crate) async fn copy_of(&self, url: &str, more: &[&str]) -> anyhow::Result<()> {
        let target = &self.data;
        create_dir(target, 0o700)?;
        self.hand_over(target)?;
        // Everyone on the machine can read a command line, so the password is not in it.
        let mut url = reqwest::Url::parse(url)?;
        if url.set_password(None).is_err() {
            bail!("the URL of a server names no host");
        }
        let mut command = Command::new(self.bin.join("pg_basebackup"));
        command
            .args(["--dbname", url.as_str()])
            .args([
                "--checkpoint=fast",
                "--wal-method=stream",
                "--no-sync",
                "--pgdata",
            ])
            .arg(target)
            .args(more)
            .env("PGPASSWORD", &self.password)
            .current_dir(target)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(run_as) = self.run_as {
            command.uid(run_as.uid).gid(run_as.gid);
        }
        let output = command.output().await.context("cannot run pg_basebackup")?;
        if !output.status.success() {
            bail!(
                "pg_basebackup failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

fn arguments(data: &Path, port: &Port, durable: bool, more: &[(&str, String)]) -> Vec<String> {
    let durable = if durable { "on" } else { "off" };
    let settings = SETTINGS
        .iter()
        .copied()
        .chain([("fsync", durable), ("full_page_writes", durable)])
        // Of two settings with one name the later one counts.
        .chain(more.iter().map(|(name, value)| (*name, value.as_str())));
    let mut args = vec!["-D".to_owned(), data.display().to_string()];
    args.extend(["-p".to_owned(), port.number().to_string()]);
    args.extend(settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]));
    args
}

/// Creates the cluster in a sibling directory and renames it when complete: an interrupted start leaves no half cluster.
pub(crate) async fn initialise(
    bin: &Path,
    data: &Path,
    password: &Path,
    run_as: Option<RunAs>,
    durable: bool,
) -> anyhow::Result<()> {
    let new = data.with_extension("new");
    let mut failure = String::new();
    // C.UTF-8 has upper and lower case of all letters; C is the fallback of systems without it.
    for locale in ["C.UTF-8", "C"] {
        let _ = std::fs::remove_dir_all(&new);
        create_dir(&new, 0o700)?;
        let mut command = Command::new(bin.join("initdb"));
        command
            .args([
                "--encoding=UTF8",
                "--auth=scram-sha-256",
                "--data-checksums",
                "--username",
                ADMIN,
            ])
            .args([&format!("--locale={locale}"), "--pwfile"])
            .arg(password)
            .arg("--pgdata")
            .arg(&new)
            .kill_on_drop(true);
        if !durable {
            command.arg("--no-sync");
        }
        if let Some(RunAs { uid, gid }) = run_as {
            for path in [new.as_path(), password] {
                hand_over(path, run_as)?;
            }
            command.uid(uid).gid(gid);
        }
        let output = command
            .current_dir(&new)
            .stdin(Stdio::null())
            .output()
            .await
            .context("cannot run initdb")?;
        if output.status.success() {
            return std::fs::rename(&new, data).context("cannot move the new cluster into place");
        }
        failure = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    bail!("initdb failed:\n{failure}")
}
