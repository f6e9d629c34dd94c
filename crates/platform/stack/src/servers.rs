//! The three servers and PostgreSQL's replicas, as private child processes or as servers that run already.

mod nats;
pub(crate) mod postgres;
mod redis;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::Signal;
use secret::Secret;
use tokio::sync::OnceCell;

use crate::binaries::Found;
use crate::certificates::{ClientFiles, ServerFiles};
use crate::checkout::{create_dir, create_own_dir, reachable_by_others};
use crate::daemon::Daemon;
use crate::disk::{DiskSizes, SmallDisk};
use crate::nats_logins::NatsLogins;
use crate::ports::Port;
use crate::process::Process;
use crate::readiness::Question;
use crate::run_as::run_as;
use crate::scratch::Scratch;

/// How long a server may take until it answers, crash recovery included.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Directories and options of private servers.
#[derive(Clone, Debug)]
pub struct ServersConfig {
    /// One directory per server is created here, and reused.
    pub data: PathBuf,
    /// Where PostgreSQL keeps its data if its user cannot enter `data`.
    pub data_outside: PathBuf,
    /// One log file per server.
    pub logs: PathBuf,
    /// One pid file per server, if wanted.
    pub pids: Option<PathBuf>,
    /// Whether PostgreSQL must survive a power cut. Tests on a server of their own switch that off: a killed process loses
    /// nothing either way.
    pub durable: bool,
    /// Whether NATS's users may work with streams of any name, as several systems on one server need, and not only with
    /// the shop's.
    pub any_stream: bool,
    /// Whether servers accept TLS only, and only from clients with a certificate of the stack's own authority.
    pub tls: bool,
    /// How many streaming replicas PostgreSQL has, four at most. It must be private.
    pub replicas: u8,
}

/// Postgres, NATS and Redis.
#[derive(Debug)]
pub struct Servers {
    postgres: Server,
    replicas: Vec<postgres::Replica>,
    nats: Server,
    /// The users of NATS; `None` if it was given by URL.
    nats_logins: Option<NatsLogins>,
    redis: Server,
    /// The clients' files, if the private servers use TLS.
    certificates: Option<ClientFiles>,
    /// After the servers, so that the disks are unmounted when the servers are gone.
    disks: Option<SmallDisks>,
    /// The last field, so that the directory is removed after the servers are gone.
    _scratch: Option<Scratch>,
}

/// The disks of the servers' data. NATS's is mounted inside PostgreSQL's, so it is dropped first.
#[derive(Debug)]
struct SmallDisks {
    nats: SmallDisk,
    postgres: SmallDisk,
}

/// One server: its URL, and its process if it is ours.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    url: String,
    private: Option<Private>,
}

#[derive(Debug)]
struct Private {
    daemon: Arc<Daemon>,
    ready: Question,
    data: PathBuf,
    /// Reserved as long as the server may be restarted.
    _ports: Vec<Port>,
}

impl ServersConfig {
    /// The data directory that PostgreSQL's user can enter.
    fn reachable_data(&self) -> anyhow::Result<&Path> {
        let home = if run_as()?.is_none() || reachable_by_others(&self.data) {
            &self.data
        } else {
            &self.data_outside
        };
        create_own_dir(home, 0o711)?;
        Ok(home)
    }
}

impl Servers {
    /// The servers that `DATABASE_URL`, `NATS_URL` and `REDIS_URL` name; private ones for those not named.
    pub async fn given_or_private(config: &ServersConfig) -> anyhow::Result<Self> {
        let servers = Self::prepare(config, given).await?;
        servers.start().await?;
        Ok(servers)
    }

    /// Three private servers, whatever the environment says, in a directory that is removed with them.
    pub async fn temporary() -> anyhow::Result<Self> {
        Self::temporary_with(false, 0).await
    }

    /// Like [`Servers::temporary`], by TLS only.
    pub async fn temporary_with_tls() -> anyhow::Result<Self> {
        Self::temporary_with(true, 0).await
    }

    /// Like [`Servers::temporary`], by TLS only if `tls`, and with streaming replicas of PostgreSQL.
    pub async fn temporary_with(tls: bool, replicas: u8) -> anyhow::Result<Self> {
        Self::in_scratch(|_| Ok(None), false, None, tls, replicas).await
    }

    /// Like [`Servers::temporary`], with PostgreSQL and NATS each on a disk that can be filled.
    pub async fn temporary_on_small_disks(sizes: DiskSizes) -> anyhow::Result<Self> {
        Self::in_scratch(|_| Ok(None), false, Some(sizes), false, 0).await
    }

    /// Like [`Servers::temporary`], but uses the servers that the environment names, and NATS's users may work with
    /// streams of any name.
    pub async fn given_or_temporary() -> anyhow::Result<Self> {
        Self::in_scratch(given, true, None, false, 0).await
    }

    async fn in_scratch(
        given: impl Fn(&'static str) -> anyhow::Result<Option<String>>,
        any_stream: bool,
        sizes: Option<DiskSizes>,
        tls: bool,
        replicas: u8,
    ) -> anyhow::Result<Self> {
        let scratch = Scratch::create()?;
        let config = ServersConfig {
            data: scratch.path().join("data"),
            data_outside: scratch.path().join("data"),
            logs: scratch.path().join("logs"),
            pids: None,
            durable: false,
            any_stream,
            tls,
            replicas,
        };
        let disks = sizes
            .map(|sizes| SmallDisks::mount(&config.data, sizes))
            .transpose()?;
        let servers = Self {
            disks,
            _scratch: Some(scratch),
            ..Self::prepare(&config, given).await?
        };
        servers.start().await?;
        Ok(servers)
    }

    /// Prepares everything except the processes. A caller that must stop in good order when interrupted prepares first, and
    /// starts when it owns the servers.
    pub(crate) async fn prepare(
        config: &ServersConfig,
        given: impl Fn(&'static str) -> anyhow::Result<Option<String>>,
    ) -> anyhow::Result<Self> {
        create_dir(&config.data, 0o711)?;
        create_dir(&config.logs, 0o755)?;
        let found = Found::search();
        let files = if config.tls {
            Some(ServerFiles::create(&config.reachable_data()?.join("tls"))?)
        } else {
            None
        };
        let tls = files.as_ref();
        let external = |name, setting| {
            anyhow::Ok(given(setting)?.map(|url| Server {
                name,
                url,
                private: None,
            }))
        };
        let (postgres, replicas) = match external("postgres", "database-url")? {
            Some(_) if config.replicas > 0 => {
                bail!("replicas are made of a PostgreSQL of our own: unset DATABASE_URL or REPLICAS")
            }
            Some(postgres) => (postgres, Vec::new()),
            None => postgres::prepare(config, found.postgres, tls).await?,
        };
        let (nats, nats_logins) = match external("nats", "nats-url")? {
            Some(nats) => (nats, NatsLogins::given()),
            None => nats::prepare(config, found.nats, tls).map(|(nats, logins)| (nats, Some(logins)))?,
        };
        let redis =
            external("redis", "redis-url")?.map_or_else(|| redis::prepare(config, found.redis, tls), Ok)?;
        Ok(Self {
            postgres,
            replicas,
            nats,
            nats_logins,
            redis,
            certificates: files.map(|files| files.clients),
            disks: None,
            _scratch: None,
        })
    }

    /// Starts the private ones and waits until all answer.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        futures_util::try_join!(self.postgres.start(), self.nats.start(), self.redis.start())?;
        let replicas = self.replicas.iter().map(postgres::Replica::begin);
        futures_util::future::try_join_all(replicas).await?;
        Ok(())
    }

    /// PostgreSQL; its URL is the administrator's.
    pub fn postgres(&self) -> &Server {
        &self.postgres
    }

    /// The streaming replicas of PostgreSQL.
    pub fn replicas(&self) -> impl Iterator<Item = &Server> {
        self.replicas.iter().map(|replica| &replica.server)
    }

    /// The replica of that number, which begins with 1.
    pub(crate) fn replica(&self, number: u8) -> Option<&Server> {
        self.replicas().nth(usize::from(number).checked_sub(1)?)
    }

    /// nats-server with JetStream; its URL is the administrator's, if the server is ours.
    pub fn nats(&self) -> &Server {
        &self.nats
    }

    /// The users of NATS; `None` if it was given by URL, which all clients then use.
    pub fn nats_logins(&self) -> Option<&NatsLogins> {
        self.nats_logins.as_ref()
    }

    /// The clients' files, if our own servers use TLS.
    pub fn certificates(&self) -> Option<&ClientFiles> {
        self.certificates.as_ref()
    }

    /// Redis.
    pub fn redis(&self) -> &Server {
        &self.redis
    }

    /// All three.
    pub fn all(&self) -> [&Server; 3] {
        [&self.postgres, &self.nats, &self.redis]
    }

    /// The small disk that a server's data is on, if it is on one.
    pub fn disk(&self, server: Process) -> Option<&SmallDisk> {
        let disks = self.disks.as_ref()?;
        match server {
            Process::Postgres => Some(&disks.postgres),
            Process::Nats => Some(&disks.nats),
            _ => None,
        }
    }

    /// Stops the private ones in good order and returns when nothing of them is left.
    pub async fn stop(&self) {
        let stop = |server: &'_ Server| server.private.as_ref().map(|private| Arc::clone(&private.daemon));
        let all = self.all().into_iter().chain(self.replicas());
        futures_util::future::join_all(all.filter_map(stop).map(|daemon| async move {
            daemon.stop().await;
        }))
        .await;
    }
}

impl SmallDisks {
    fn mount(data: &Path, sizes: DiskSizes) -> anyhow::Result<Self> {
        let postgres = SmallDisk::mount(data, sizes.postgres_mb)?;
        let nats = SmallDisk::mount(&data.join("nats"), sizes.nats_mb)?;
        Ok(Self { nats, postgres })
    }
}

impl Server {
    /// What clients connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is our child process, and not given by URL.
    pub fn is_ours(&self) -> bool {
        self.private.is_some()
    }

    /// The process, if it is ours and runs.
    pub fn pid(&self) -> Option<u32> {
        self.private.as_ref()?.daemon.pid()
    }

    /// Its data directory, for tests that wipe it while it is stopped.
    pub fn data_dir(&self) -> anyhow::Result<&Path> {
        Ok(&self.ours()?.data)
    }

    /// Starts it, unless it runs or is not ours, and waits until it answers.
    pub async fn start(&self) -> anyhow::Result<()> {
        let Some(private) = &self.private else {
            return Ok(());
        };
        private.daemon.start().await?;
        self.wait_ready().await
    }

    /// Waits until it answers.
    pub async fn wait_ready(&self) -> anyhow::Result<()> {
        let Some(Private { daemon, ready, .. }) = &self.private else {
            return Ok(());
        };
        ready
            .wait(READY_DEADLINE, || daemon.pid().is_none())
            .await
            .map_err(|error| anyhow!("{} did not start: {error:#}; {}", self.name, daemon.log_tail()))
    }

    /// Stops it in good order.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.ours()?.daemon.stop().await;
        Ok(())
    }

    /// Stops it, if it runs, and starts it again: same port, same data.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// SIGKILL; returns when it is gone with all its children.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.ours()?.daemon.kill().await
    }

    /// Makes NATS reload its configuration; the other servers can't.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.ours()?.daemon.signal(Signal::SIGHUP)
    }

    /// Pauses it and all its children: connections stay open, nothing answers.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.ours()?.daemon.pause()
    }

    /// Ends a pause.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.ours()?.daemon.resume();
        Ok(())
    }

    pub(crate) fn daemon(&self) -> Option<&Arc<Daemon>> {
        self.private.as_ref().map(|private| &private.daemon)
    }

    fn ours(&self) -> anyhow::Result<&Private> {
        self.private.as_ref().with_context(|| {
            format!(
                "{} was given by URL and is not ours to stop; use Servers::temporary()",
                self.name
            )
        })
    }
}

/// The servers that all tests of this process share: those of the environment (`stack test-servers`), else private ones
/// that end with the process.
pub async fn shared() -> anyhow::Result<Arc<Servers>> {
    static SHARED: OnceCell<Arc<Servers>> = OnceCell::const_new();
    let start = || async { Ok(Arc::new(Servers::given_or_temporary().await?)) };
    SHARED.get_or_try_init(start).await.cloned()
}

/// A server's URL from the environment: `DATABASE_URL` for `database-url`, or the file that `DATABASE_URL_FILE` names.
pub(crate) fn given(name: &'static str) -> anyhow::Result<Option<String>> {
    let variable = name.to_uppercase().replace('-', "_");
    let of = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
    let (direct, file) = (of(&variable).map(Secret::new), of(&format!("{variable}_FILE")));
    let given = Secret::given(name, direct.as_ref(), file.as_deref().map(Path::new))?;
    Ok(given.map(|url| url.expose().to_owned()))
}
