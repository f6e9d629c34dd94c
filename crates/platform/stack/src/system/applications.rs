//! How each program of this project is started: its file, its ports, and its environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::files::{
    erasures_file, holder_key_file, master_key_file, return_key_file, seal_file, seal_key_file,
    session_keys_file,
};
use crate::certificates::ClientFiles;
use crate::checkout::create_dir;
use crate::databases::Databases;
use crate::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::launch::Launch;
use crate::nats_logins::{NatsLogins, without_login};
use crate::ports::Port;
use crate::process::Process;
use crate::secrets::secret_file;

/// The merchant serial number at the emulated provider.
const MERCHANT: &str = "123456";

/// The name of front-door at the issuer.
const CLIENT: &str = "front-door";

/// The sender of the shop's letters.
const LETTERS_FROM: &str = "Bilsportlisens <ikke-svar@bilsportlisens.no>";

/// The address that the edge sends its requests from. The APIs trust what it says about a client, and they do not trust
/// other programs on this machine.
pub(super) const EDGE_SOURCE: &str = "127.0.0.2";

/// The ports of the programs.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) command_api: Port,
    pub(crate) command_ops: Port,
    pub(crate) command_api_2: Port,
    pub(crate) command_ops_2: Port,
    pub(crate) query_api: Port,
    pub(crate) query_ops: Port,
    pub(crate) front_door: Port,
    pub(crate) front_door_ops: Port,
    /// Where browsers see the shop.
    pub(crate) edge: Port,
    pub(crate) projector_ops: Port,
    pub(crate) projector_ops_2: Port,
    pub(crate) payment_emulator: Port,
    pub(crate) smtp: Port,
    pub(crate) mail: Port,
}

impl Ports {
    /// The documented ports where they are free.
    pub(crate) fn preferred() -> anyhow::Result<Self> {
        Self::with(Port::prefer)
    }

    /// Any free ports.
    pub(crate) fn any() -> anyhow::Result<Self> {
        Self::with(|_| Port::any())
    }

    fn with(port: impl Fn(u16) -> anyhow::Result<Port>) -> anyhow::Result<Self> {
        Ok(Self {
            command_api: port(8080)?,
            command_ops: port(9080)?,
            command_api_2: Port::any()?,
            command_ops_2: Port::any()?,
            query_api: port(8081)?,
            query_ops: port(9081)?,
            front_door: port(8082)?,
            front_door_ops: port(9083)?,
            edge: port(8000)?,
            projector_ops: port(9082)?,
            projector_ops_2: Port::any()?,
            payment_emulator: port(8090)?,
            smtp: port(1025)?,
            mail: port(8025)?,
        })
    }

    /// The URL of the program's readiness.
    pub(crate) fn ready_url(&self, process: Process) -> String {
        let port = match process {
            // A file of its own: the programs behind it are asked themselves.
            Process::Edge => return format!("{}/robots.txt", self.edge.http_url()),
            Process::CommandApi => &self.command_ops,
            Process::CommandApi2 => &self.command_ops_2,
            Process::QueryApi => &self.query_ops,
            Process::FrontDoor => &self.front_door_ops,
            Process::Projector => &self.projector_ops,
            Process::Projector2 => &self.projector_ops_2,
            Process::Mail => &self.mail,
            _ => &self.payment_emulator,
        };
        format!("{}/health/ready", port.http_url())
    }
}

/// The settings of all programs.
pub(crate) struct Settings<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) databases: &'a Databases,
    /// The URLs of the read database's replicas, as query-api reads them.
    pub(crate) replicas: &'a [String],
    pub(crate) nats_url: &'a str,
    pub(crate) nats_logins: Option<&'a NatsLogins>,
    pub(crate) redis_url: &'a str,
    /// The limits of requests; the usual ones if there are none.
    pub(crate) rate_limits: Option<&'static str>,
    /// TLS files for the clients of NATS and Redis; those for PostgreSQL are in the URLs.
    pub(crate) certificates: Option<&'a ClientFiles>,
    /// The stream's name, distinct for each system on one nats-server.
    pub(crate) stream: &'a str,
    pub(crate) subject_prefix: &'a str,
    pub(crate) jwks_url: &'a str,
    /// Where the issuer describes itself.
    pub(crate) discovery_url: &'a str,
    pub(crate) data: &'a Path,
    pub(crate) logs: &'a Path,
    pub(crate) pids: Option<&'a Path>,
    /// Settings of the caller, which override the others.
    pub(crate) extra: &'a [(Process, String, String)],
}

impl Settings<'_> {
    /// How to start a program.
    pub(crate) fn launch(&self, process: Process) -> anyhow::Result<Launch> {
        let dir = self.data.join(process.name());
        create_dir(&dir, 0o755)?;
        let mut env = self.environment(process, &dir);
        env.extend([
            ("LOG_FORMAT", "json".to_owned()),
            ("LOG_FILTER", log_filter(process).to_owned()),
        ]);
        let mut env: Vec<(String, String)> = env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let extra = self.extra.iter().filter(|(of, _, _)| *of == process);
        env.extend(extra.map(|(_, name, value)| (name.clone(), value.clone())));
        Ok(Launch {
            name: process.name(),
            program: program(process)?,
            args: vec![if process == Process::Mail { "mail" } else { "serve" }.to_owned()],
            env,
            dir,
            log: self.logs.join(format!("{process}.log")),
            pid_file: self.pids.map(|pids| pids.join(process.name())),
            run_as: None,
            stop_signal: Signal::SIGTERM,
        })
    }

    fn environment(&self, process: Process, dir: &Path) -> Vec<(&'static str, String)> {
        let ports = self.ports;
        match process {
            Process::CommandApi | Process::CommandApi2 => self.command_api(process),
            Process::Projector => self.projector(process, &ports.projector_ops),
            Process::Projector2 => self.projector(process, &ports.projector_ops_2),
            Process::QueryApi => [self.auth(), self.documents(), self.limits(), self.replicas()]
                .concat()
                .into_iter()
                .chain([
                    ("LISTEN", ports.query_api.address()),
                    ("OPS_LISTEN", ports.query_ops.address()),
                    ("READ_DATABASE_URL", self.databases.read_reader.clone()),
                    ("COMMAND_API_READY_URL", ports.ready_url(Process::CommandApi)),
                    self.return_key(),
                    self.secret("CURSOR_SECRET_FILE", "cursor"),
                ])
                .collect(),
            Process::FrontDoor => self
                .auth()
                .into_iter()
                .chain([
                    ("LISTEN", ports.front_door.address()),
                    ("OPS_LISTEN", ports.front_door_ops.address()),
                    ("PUBLIC_URL", ports.edge.http_url()),
                    ("TRUSTED_PROXIES", EDGE_SOURCE.to_owned()),
                    ("OIDC_DISCOVERY_URL", self.discovery_url.to_owned()),
                    ("OIDC_CLIENT_ID", CLIENT.to_owned()),
                    (
                        "SESSION_KEYS_FILE",
                        session_keys_file(self.data).display().to_string(),
                    ),
                ])
                .collect(),
            Process::Mail => vec![
                ("SMTP_LISTEN", ports.smtp.address()),
                ("LISTEN", ports.mail.address()),
                ("MAIL_DIR", dir.join("letters").display().to_string()),
            ],
            // Servers are not started here.
            _ => self
                .provider_credentials()
                .into_iter()
                .chain([
                    ("LISTEN", ports.payment_emulator.address()),
                    ("DATA_FILE", dir.join("payments").display().to_string()),
                    (
                        "WEBHOOK_URL",
                        format!("{}/api/v1/webhooks/vipps", ports.command_api.http_url()),
                    ),
                    self.secret("WEBHOOK_SECRET_FILE", "vipps-webhook"),
                    // Longer than an order's time to live, so that the shop expires the order first and ends the payment.
                    ("PAYMENT_TTL_S", "1800".to_owned()),
                ])
                .collect(),
        }
    }

    fn projector(&self, process: Process, ops: &Port) -> Vec<(&'static str, String)> {
        let mut env = self.stream(process);
        env.extend([
            ("OPS_LISTEN", ops.address()),
            ("EVENTS_DATABASE_URL", self.databases.events_reader.clone()),
            ("READ_DATABASE_URL", self.databases.read_owner.clone()),
            (
                "MASTER_KEY_FILE",
                master_key_file(self.data).display().to_string(),
            ),
        ]);
        env
    }

    fn command_api(&self, process: Process) -> Vec<(&'static str, String)> {
        let ports = self.ports;
        let (command_api, command_ops) = match process {
            Process::CommandApi2 => (&ports.command_api_2, &ports.command_ops_2),
            _ => (&ports.command_api, &ports.command_ops),
        };
        [
            self.stream(process),
            self.auth(),
            self.provider_credentials(),
            self.documents(),
            self.limits(),
        ]
        .concat()
        .into_iter()
        .chain([
            ("LISTEN", command_api.address()),
            ("OPS_LISTEN", command_ops.address()),
            ("EVENTS_DATABASE_URL", self.databases.events_owner.clone()),
            ("SEAL_KEY_FILE", seal_key_file(self.data).display().to_string()),
            ("SEAL_FILE", seal_file(self.data).display().to_string()),
            (
                "HOLDER_KEY_FILE",
                holder_key_file(self.data).display().to_string(),
            ),
            (
                "MASTER_KEY_FILE",
                master_key_file(self.data).display().to_string(),
            ),
            ("ERASURES_FILE", erasures_file(self.data).display().to_string()),
            self.return_key(),
            ("PAYMENT_PROVIDERS", "vipps,nexi".to_owned()),
            ("NEXI_BASE_URL", ports.payment_emulator.http_url()),
            self.secret("NEXI_WEBHOOK_AUTHORIZATION_FILE", "nexi-webhook"),
            ("VIPPS_BASE_URL", ports.payment_emulator.http_url()),
            self.secret("VIPPS_WEBHOOK_SECRET_FILE", "vipps-webhook"),
            // Webhooks go to the first instance.
            ("PUBLIC_URL", ports.command_api.http_url()),
            (
                "RETURN_URL",
                format!("{}/returned", ports.payment_emulator.http_url()),
            ),
            ("SMTP_URL", format!("smtp://{}", ports.smtp.address())),
            ("LETTERS_FROM", LETTERS_FROM.to_owned()),
        ])
        .collect()
    }

    fn stream(&self, process: Process) -> Vec<(&'static str, String)> {
        let stream = [
            ("STREAM", self.stream.to_owned()),
            ("SUBJECT_PREFIX", self.subject_prefix.to_owned()),
        ];
        // Instances of one program share its user.
        let user = process.program();
        let access = match self.nats_logins {
            None => vec![("NATS_URL", self.nats_url.to_owned())],
            Some(logins) => vec![
                ("NATS_URL", without_login(self.nats_url)),
                ("NATS_USER", user.to_owned()),
                ("NATS_PASSWORD_FILE", logins.file(user).display().to_string()),
                ("NATS_API_PREFIX", NatsLogins::api_prefix(user).to_owned()),
            ],
        };
        let certificates = self.certificates.map_or_else(Vec::new, |files| {
            let file = |path: &Path| path.display().to_string();
            vec![
                ("NATS_CA_FILE", file(&files.authority)),
                ("NATS_CERT_FILE", file(&files.client.certificate)),
                ("NATS_KEY_FILE", file(&files.client.key)),
            ]
        });
        [access, certificates, stream.to_vec()].concat()
    }

    fn auth(&self) -> Vec<(&'static str, String)> {
        vec![
            ("JWT_ISSUER", ISSUER.to_owned()),
            ("JWT_AUDIENCE", AUDIENCE.to_owned()),
            ("JWKS_URL", self.jwks_url.to_owned()),
            ("JWT_ALGORITHM", "ES256".to_owned()),
        ]
    }

    fn limits(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("REDIS_URL", self.redis_url.to_owned())];
        if let Some(files) = self.certificates {
            let file = |path: &Path| path.display().to_string();
            settings.extend([
                ("REDIS_CA_FILE", file(&files.authority)),
                ("REDIS_CERT_FILE", file(&files.client.certificate)),
                ("REDIS_KEY_FILE", file(&files.client.key)),
            ]);
        }
        settings.extend(self.rate_limits.map(|limits| ("RATE_LIMITS", limits.to_owned())));
        settings.push(("TRUSTED_PROXIES", EDGE_SOURCE.to_owned()));
        settings
    }

    fn replicas(&self) -> Vec<(&'static str, String)> {
        if self.replicas.is_empty() {
            return Vec::new();
        }
        vec![("READ_REPLICA_URLS", self.replicas.join(","))]
    }

    fn secret(&self, setting: &'static str, name: &str) -> (&'static str, String) {
        (setting, secret_file(self.data, name).display().to_string())
    }

    fn return_key(&self) -> (&'static str, String) {
        (
            "RETURN_KEY_FILE",
            return_key_file(self.data).display().to_string(),
        )
    }

    /// What licenses are signed with, and who is named in receipts.
    fn documents(&self) -> Vec<(&'static str, String)> {
        let mut settings = license_key_files(self.data);
        settings.extend([
            ("SELLER_NAME", "Norges Bilsportforbund".to_owned()),
            ("SELLER_ORGANIZATION_NUMBER", "123456785".to_owned()),
        ]);
        settings
    }

    fn provider_credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("VIPPS_CLIENT_ID", "local-client".to_owned()),
            self.secret("VIPPS_CLIENT_SECRET_FILE", "vipps-client"),
            self.secret("VIPPS_SUBSCRIPTION_KEY_FILE", "vipps-subscription"),
            ("VIPPS_MSN", MERCHANT.to_owned()),
            self.secret("NEXI_SECRET_KEY_FILE", "nexi"),
        ]
    }

    /// Brings both schemas up to date.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let url = |name, url: &str| (name, url.to_owned());
        migrate(
            Process::CommandApi,
            url("EVENTS_DATABASE_URL", &self.databases.events_owner),
        )
        .await?;
        migrate(
            Process::Projector,
            url("READ_DATABASE_URL", &self.databases.read_owner),
        )
        .await
    }
}

async fn migrate(process: Process, url: (&'static str, String)) -> anyhow::Result<()> {
    run(
        process,
        &["migrate"],
        vec![url, ("LOG_FORMAT", "json".to_owned())],
    )
    .await
}

/// Runs a program to its end.
async fn run(process: Process, arguments: &[&str], env: Vec<(&'static str, String)>) -> anyhow::Result<()> {
    let mut command = Command::new(program(process)?);
    command
        .args(arguments)
        .envs(env)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command
        .output()
        .await
        .with_context(|| format!("cannot run {process} {}", arguments.join(" ")))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!(
            "`{process} {}` failed ({}):\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&text)
        );
    }
    Ok(())
}

/// The settings that name the keys of licenses.
pub(crate) fn license_key_files(data: &Path) -> Vec<(&'static str, String)> {
    let file = |name| data.join(name).display().to_string();
    vec![
        ("LICENSE_KEYS_FILE", file("license-keys.json")),
        ("ROOT_KEY_FILE", file("root-key.json")),
    ]
}

/// Makes the keys of licenses when their file is missing.
pub(crate) async fn license_keys(data: &Path) -> anyhow::Result<()> {
    if data.join("license-keys.json").exists() {
        return Ok(());
    }
    run(
        Process::QueryApi,
        &["license-keys", "new"],
        license_key_files(data),
    )
    .await
}

/// Lets people log in by the edge.
pub(crate) fn register_front_door(issuer: &Issuer, ports: &Ports) {
    let callback = format!("{}/session/callback", ports.edge.http_url());
    issuer.add_client(CLIENT, &callback);
}

/// The projector also logs every event, so that a request can be followed to the row it led to.
fn log_filter(process: Process) -> &'static str {
    match process {
        Process::Projector | Process::Projector2 => "info,projection::apply=debug",
        _ => "info",
    }
}

/// Cargo puts all programs in one directory, and test programs in `deps` below it.
fn program(process: Process) -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe().context("cannot tell where this program is")?;
    let dir = exe.parent().context("this program is in no directory")?;
    let dir = if dir.ends_with("deps") {
        dir.parent().unwrap_or(dir)
    } else {
        dir
    };
    let path = dir.join(process.program());
    if !path.is_file() {
        bail!("{} is not built: run `make build`", path.display());
    }
    Ok(path)
}
