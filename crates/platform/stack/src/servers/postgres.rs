//! A PostgreSQL cluster of our own: created once, then started with settings that all come from here.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use tokio::process::Command;

use super::{Private, Server, ServersConfig};
use crate::certificates::ServerFiles;
use crate::checkout::{create_dir, write_private};
use crate::daemon::{Daemon, Family};
use crate::install::needed;
use crate::launch::{Launch, RunAs};
use crate::ports::Port;
use crate::readiness::Question;
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

/// Creates the cluster unless it exists, and says how to run it.
pub(super) async fn prepare(
    config: &ServersConfig,
    bin: Option<PathBuf>,
    tls: Option<&ServerFiles>,
) -> anyhow::Result<Server> {
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
        bin,
        data,
        password,
        log: config.logs.join("postgres.log"),
        run_as,
        durable: config.durable,
    };
    let Some(tls) = tls else {
        return cluster.server(&[], pid_file);
    };
    let rules = home.join("pg_hba.conf");
    write_private(&rules, ONLY_TLS.as_bytes())?;
    cluster.hand_over(&rules)?;
    let file = |path: &Path| path.display().to_string();
    let settings = [
        ("hba_file", file(&rules)),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", file(&tls.server.certificate)),
        ("ssl_key_file", file(&tls.server.key)),
        ("ssl_ca_file", file(&tls.clients.authority)),
    ];
    let mut server = cluster.server(&settings, pid_file)?;
    server.url = format!("{}?{}", server.url, tls.clients.url_parameters());
    if let Some(private) = &mut server.private {
        private.ready = Question::Postgres(server.url.clone());
    }
    Ok(server)
}

/// Who gets in with TLS: who has a certificate of the stack's authority, and a password.
const ONLY_TLS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";

/// A data directory and how it is run.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) bin: PathBuf,
    pub(crate) data: PathBuf,
    /// The administrator's.
    pub(crate) password: String,
    pub(crate) log: PathBuf,
    pub(crate) run_as: Option<RunAs>,
    pub(crate) durable: bool,
}

impl Cluster {
    /// A server for it on a port of its own, with more settings than all have.
    pub(crate) fn server(
        &self,
        settings: &[(&str, String)],
        pid_file: Option<PathBuf>,
    ) -> anyhow::Result<Server> {
        let port = Port::any()?;
        let url = format!("postgres://{ADMIN}:{}@{}/postgres", self.password, port.address());
        let data = self.data.clone();
        let launch = Launch {
            name: "postgres",
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
        };
        let daemon = Daemon::new(launch, Some(family));
        let ready = Question::Postgres(url.clone());
        Ok(Server {
            name: "postgres",
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

fn arguments(data: &Path, port: &Port, durable: bool, more: &[(&str, String)]) -> Vec<String> {
    let durable = if durable { "on" } else { "off" };
    let settings = SETTINGS
        .iter()
        .copied()
        .chain([("fsync", durable), ("full_page_writes", durable)])
        // Of two for one name the later counts.
        .chain(more.iter().map(|(name, value)| (*name, value.as_str())));
    let mut args = vec!["-D".to_owned(), data.display().to_string()];
    args.extend(["-p".to_owned(), port.number().to_string()]);
    args.extend(settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]));
    args
}

/// Postgres refuses to run as root.
pub(crate) fn run_as() -> anyhow::Result<Option<RunAs>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(RunAs {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }));
        }
    }
    bail!("Postgres does not run as root, and there is neither a user `postgres` nor `nobody`");
}

/// Gives a file or directory to who runs a server.
pub(crate) fn hand_over(path: &Path, run_as: Option<RunAs>) -> anyhow::Result<()> {
    let Some(run_as) = run_as else {
        return Ok(());
    };
    chown(path, Some(run_as.uid), Some(run_as.gid))
        .with_context(|| format!("cannot hand {} to the server's user", path.display()))
}

/// In a directory beside it, renamed when complete: an interrupted start leaves no half cluster.
pub(crate) async fn initialise(
    bin: &Path,
    data: &Path,
    password: &Path,
    run_as: Option<RunAs>,
    durable: bool,
) -> anyhow::Result<()> {
    let new = data.with_extension("new");
    let mut failure = String::new();
    // C.UTF-8 knows upper and lower case of all letters; C is the fallback of systems without it.
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
                chown(path, Some(uid), Some(gid)).context("cannot hand the data directory to its user")?;
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
