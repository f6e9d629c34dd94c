//! The whole system: servers, databases, token issuer and our programs, supervised. `make up` runs it in the checkout.
//! A test runs its own, on shared servers, or on private ones if it kills servers.

mod applications;
mod control;
mod edge;
mod files;
mod links;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::applications::{Ports, Settings, license_keys, register_front_door};
use self::files::{
    erasures_file, holder_key_file, master_key_file, return_key_file, seal_file, seal_key_file,
    session_keys_file,
};
use self::links::Links;
use crate::checkout::{Checkout, create_dir};
use crate::daemon::Daemon;
use crate::databases::Databases;
use crate::disk::DiskSizes;
use crate::issuer::{Issuer, Role};
use crate::process::Process;
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::secrets::{named_key, random_key, seal_key, shared_secrets};
use crate::servers::{Server, Servers, shared};

const TOKEN_HOURS: i64 = 48;

/// What a test may set.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// Environment variables for single programs, such as a short `ORDER_TTL_S`. They win over the usual ones.
    pub env: Vec<(Process, String, String)>,
    /// Whether a second command-api runs.
    pub second_command_api: bool,
    /// Whether a second projector stands by.
    pub second_projector: bool,
    /// Whether nginx runs in front of the programs.
    pub edge: bool,
    /// Whether each program reaches PostgreSQL and NATS through its own proxies, for [`System::network`].
    pub proxied: bool,
    /// Disks for PostgreSQL and NATS that can be filled, on private servers.
    pub small_disks: Option<DiskSizes>,
    /// Whether PostgreSQL, NATS and Redis accept TLS only, on private servers.
    pub tls: bool,
    /// How many streaming replicas of PostgreSQL query-api reads, on private servers.
    pub replicas: u8,
}

/// A running system.
pub struct System {
    servers: Arc<Servers>,
    /// Whether `servers` were started for this system alone, and are supervised and stopped with it.
    owns_servers: bool,
    databases: Databases,
    drop_databases: bool,
    issuer: Issuer,
    ports: Ports,
    links: Option<Links>,
    stream: String,
    seal_file: PathBuf,
    seal_public_key: String,
    applications: Vec<(Process, Arc<Daemon>)>,
    supervisors: tokio::sync::Mutex<JoinSet<()>>,
    shutdown: CancellationToken,
    progress: Progress,
    logs: PathBuf,
    /// Removed last.
    scratch: Option<Scratch>,
}

/// Bearer tokens of five people, valid for two days.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// A customer.
    pub customer: String,
    /// Another customer, who must not see the first one's orders.
    pub customer2: String,
    /// An organizer of the given clubs.
    pub organizer: String,
    /// The federation's staff.
    pub staff: String,
    /// An administrator.
    pub admin: String,
}

impl System {
    /// On the servers that all tests share, with databases and a stream of its own.
    pub async fn on_shared_servers(options: Options) -> anyhow::Result<Self> {
        Self::for_test(shared().await?, false, options).await
    }

    /// On its own servers, which can be killed, paused and wiped.
    pub async fn on_private_servers(options: Options) -> anyhow::Result<Self> {
        let servers = match options.small_disks {
            Some(sizes) => Servers::temporary_on_small_disks(sizes).await?,
            None => Servers::temporary_with(options.tls, options.replicas).await?,
        };
        Self::for_test(Arc::new(servers), true, options).await
    }

    /// On servers that the caller started and stops, with databases and a stream of its own.
    pub async fn on_servers(servers: Arc<Servers>, options: Options) -> anyhow::Result<Self> {
        Self::for_test(servers, false, options).await
    }

    async fn for_test(servers: Arc<Servers>, owns_servers: bool, options: Options) -> anyhow::Result<Self> {
        let scratch = Scratch::create()?;
        let databases = Databases::fresh(servers.postgres().url()).await?;
        let place = SystemPlaces {
            data: scratch.path().join("data"),
            logs: scratch.path().join("logs"),
            edge: scratch.path().join("edge"),
            pids: None,
            // On its own servers the system has the stream name, and so the permissions, of an installation.
            stream_suffix: (!owns_servers).then(|| Uuid::new_v4().simple().to_string()),
            ports: Ports::any()?,
            rate_limits: Some("off"),
        };
        let mut system = Self::prepare(
            servers,
            owns_servers,
            databases,
            place,
            &options,
            Progress::silent(),
        )
        .await?;
        system.drop_databases = !owns_servers;
        system.scratch = Some(scratch);
        if let Err(error) = system.start().await {
            system.stop().await;
            return Err(error);
        }
        Ok(system)
    }

    /// In the checkout, on its servers and with the data that an earlier run left.
    pub(crate) async fn in_checkout(
        checkout: &Checkout,
        servers: Arc<Servers>,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let id = checkout.id();
        // Servers given by URL may be shared with other checkouts.
        let suffix = |server: &Server| {
            if server.is_ours() {
                String::new()
            } else {
                id.clone()
            }
        };
        let databases =
            Databases::open_or_create(servers.postgres().url(), &suffix(servers.postgres())).await?;
        let place = SystemPlaces {
            data: checkout.data()?,
            logs: checkout.logs()?,
            edge: checkout.reachable_data()?.join("edge"),
            pids: Some(checkout.pids()?),
            stream_suffix: Some(suffix(servers.nats())).filter(|suffix| !suffix.is_empty()),
            ports: Ports::preferred()?,
            rate_limits: None,
        };
        let options = Options {
            edge: true,
            ..Options::default()
        };
        Self::prepare(servers, true, databases, place, &options, progress).await
    }

    async fn prepare(
        servers: Arc<Servers>,
        owns_servers: bool,
        databases: Databases,
        place: SystemPlaces,
        options: &Options,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        create_dir(&place.data, 0o755)?;
        create_dir(&place.logs, 0o755)?;
        let seal_public_key = seal_key(&seal_key_file(&place.data))?;
        make_keys(&place.data)?;
        license_keys(&place.data).await?;
        let issuer = Issuer::start(&place.data.join("issuer.key")).await?;
        register_front_door(&issuer, &place.ports);
        let (stream, subject_prefix) = match &place.stream_suffix {
            None => ("LICENSING".to_owned(), "licensing.v1".to_owned()),
            Some(suffix) => (format!("LICENSING_{suffix}"), format!("licensing_{suffix}.v1")),
        };
        let mut programs = Process::APPLICATIONS.to_vec();
        if options.second_command_api {
            programs.push(Process::CommandApi2);
        }
        if options.second_projector {
            programs.push(Process::Projector2);
        }
        let replicas = servers
            .replicas()
            .map(|replica| databases.read_reader_at(replica.url()));
        let replicas = replicas.collect::<anyhow::Result<Vec<_>>>()?;
        let links = if options.proxied {
            Some(Links::open(&servers, &programs).await?)
        } else {
            None
        };
        let settings = Settings {
            ports: &place.ports,
            databases: &databases,
            replicas: &replicas,
            nats_url: servers.nats().url(),
            nats_logins: servers.nats_logins(),
            redis_url: servers.redis().url(),
            rate_limits: place.rate_limits,
            certificates: servers.certificates(),
            stream: &stream,
            subject_prefix: &subject_prefix,
            jwks_url: &issuer.jwks_url(),
            discovery_url: &issuer.discovery_url(),
            data: &place.data,
            logs: &place.logs,
            pids: place.pids.as_deref(),
            extra: &options.env,
        };
        let mut applications = Vec::new();
        for process in programs {
            let mut launch = settings.launch(process)?;
            if let Some(links) = &links {
                links.redirect(process, &mut launch.env)?;
            }
            applications.push((process, Daemon::new(launch, None)));
        }
        if options.edge {
            applications.push((Process::Edge, edge::prepare(&place)?));
        }
        progress.step("migrate the databases", settings.migrate()).await?;
        Ok(Self {
            servers,
            owns_servers,
            databases,
            drop_databases: false,
            issuer,
            ports: place.ports,
            links,
            stream,
            seal_file: seal_file(&place.data),
            seal_public_key,
            applications,
            supervisors: tokio::sync::Mutex::new(JoinSet::new()),
            shutdown: CancellationToken::new(),
            progress,
            logs: place.logs,
            scratch: None,
        })
    }

    /// Starts the programs, waits until all are ready, and supervises everything from then on.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        try_join_all(self.applications.iter().map(|(_, daemon)| daemon.start())).await?;
        let mut supervisors = self.supervisors.lock().await;
        for process in self.processes() {
            if let Some(daemon) = self.supervised(process) {
                supervisors.spawn(Arc::clone(daemon).supervise(self.progress, self.shutdown.clone()));
            }
        }
        drop(supervisors);
        try_join_all(
            self.applications
                .iter()
                .map(|(process, _)| self.wait_ready(*process)),
        )
        .await?;
        Ok(())
    }

    /// Stops everything that was started for this system and returns when no process of it is left.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        let mut supervisors = self.supervisors.lock().await;
        while supervisors.join_next().await.is_some() {}
        drop(supervisors);
        join_all(self.applications.iter().map(|(_, daemon)| daemon.stop())).await;
        if self.owns_servers {
            self.servers.stop().await;
        } else if self.drop_databases {
            // A failure only leaves databases on a server that ends soon.
            let _ = self.databases.drop().await;
        }
    }

    /// The servers underneath.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The databases, with a URL for each role.
    pub fn databases(&self) -> &Databases {
        &self.databases
    }

    /// The JetStream stream's name.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The token issuer.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Tokens of five people. An organizer who logs in by the issuer's page acts for the clubs named last.
    pub fn tokens(&self, organizer_of: &[Uuid]) -> anyhow::Result<Tokens> {
        if !organizer_of.is_empty() {
            self.issuer.set_clubs(organizer_of);
        }
        let token = |role, subject: &str, clubs: &[Uuid]| {
            self.issuer
                .token(role, subject, clubs, TimeDelta::hours(TOKEN_HOURS))
        };
        Ok(Tokens {
            customer: token(Role::Customer, "customer", &[])?,
            customer2: token(Role::Customer, "customer2", &[])?,
            organizer: token(Role::Organizer, "organizer", organizer_of)?,
            staff: token(Role::Staff, "staff", &[])?,
            admin: token(Role::Admin, "admin", &[])?,
        })
    }

    /// `http://…`, without `/api/v1`.
    pub fn command_api_url(&self) -> String {
        self.ports.command_api.http_url()
    }

    /// The second instance's, if there is one.
    pub fn second_command_api_url(&self) -> Option<String> {
        self.supervised(Process::CommandApi2)?;
        Some(self.ports.command_api_2.http_url())
    }

    /// `http://…`, without `/api/v1`.
    pub fn query_api_url(&self) -> String {
        self.ports.query_api.http_url()
    }

    /// `http://…`, for the edge.
    pub fn front_door_url(&self) -> String {
        self.ports.front_door.http_url()
    }

    /// Metrics and health of front-door.
    pub fn front_door_ops_url(&self) -> String {
        self.ports.front_door_ops.http_url()
    }

    /// Metrics and health of command-api.
    pub fn command_ops_url(&self) -> String {
        self.ports.command_ops.http_url()
    }

    /// Metrics and health of the second command-api.
    pub fn second_command_ops_url(&self) -> String {
        self.ports.command_ops_2.http_url()
    }

    /// Metrics and health of query-api.
    pub fn query_ops_url(&self) -> String {
        self.ports.query_ops.http_url()
    }

    /// Metrics and health of the projector.
    pub fn projector_ops_url(&self) -> String {
        self.ports.projector_ops.http_url()
    }

    /// Metrics and health of the second projector.
    pub fn second_projector_ops_url(&self) -> String {
        self.ports.projector_ops_2.http_url()
    }

    /// The payment provider.
    pub fn payment_emulator_url(&self) -> String {
        self.ports.payment_emulator.http_url()
    }

    /// The page of the mail server, which shows the shop's letters.
    pub fn mail_url(&self) -> String {
        self.ports.mail.http_url()
    }

    /// The file of the log's seals, outside the database.
    pub fn seal_file(&self) -> &Path {
        &self.seal_file
    }

    /// The directory of keys and files.
    fn data(&self) -> &Path {
        self.seal_file.parent().unwrap_or(&self.seal_file)
    }

    /// The file with the master keys of personal data.
    pub fn master_key_file(&self) -> PathBuf {
        master_key_file(self.data())
    }

    /// The file that erasures are written down in.
    pub fn erasures_file(&self) -> PathBuf {
        erasures_file(self.data())
    }

    /// The public key of the seals, in hexadecimal digits.
    pub fn seal_public_key(&self) -> &str {
        &self.seal_public_key
    }

    /// The settings of a program.
    pub(crate) fn settings(&self, process: Process) -> &[(String, String)] {
        let daemon = self.supervised(process);
        daemon.map_or(&[], |daemon| &daemon.launch().env)
    }

    /// The directory with one log file per program.
    pub fn logs(&self) -> &Path {
        &self.logs
    }
}

impl Drop for System {
    /// For a test that fails before it stops its system: the supervisors must restart nothing.
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Makes the secrets and keys whose files are missing.
fn make_keys(data: &Path) -> anyhow::Result<()> {
    shared_secrets(data)?;
    for file in [holder_key_file(data), return_key_file(data)] {
        random_key(&file)?;
    }
    for file in [master_key_file(data), session_keys_file(data)] {
        named_key(&file)?;
    }
    Ok(())
}

/// The directories of a system.
struct SystemPlaces {
    data: PathBuf,
    logs: PathBuf,
    /// The directory of the edge, which its user can enter.
    edge: PathBuf,
    pids: Option<PathBuf>,
    stream_suffix: Option<String>,
    ports: Ports,
    /// Off for tests and benchmarks, whose few customers buy thousands of licenses.
    rate_limits: Option<&'static str>,
}
