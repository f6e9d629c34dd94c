//! A database, as its URL describes it.

use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};

use crate::parameters::Parameters;
use crate::tls::{Proof, Protection, TlsError};

/// How long the TCP connect may take, per address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long sent data may stay unacknowledged before the connection counts as dead.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 5432;

/// A client, and what moves its bytes.
pub type Connected = (
    Client,
    Connection<Socket, <Protection as MakeTlsConnect<Socket>>::Stream>,
);

/// A database: its address, the protection of its connections, and the settings of its sessions. Prints no password.
///
/// `sslmode` means what it means to libpq, but for two things: `require` with a CA verifies the host as well, and a CA
/// without `sslmode` means `verify-full`.
#[derive(Clone)]
pub struct Database {
    config: Config,
    protection: Protection,
    /// The parameters that the URL itself gives.
    given: Vec<String>,
}

/// Why a URL can't be used. Never quotes it, since it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum BadUrl {
    /// It can't be read.
    #[error("bad database URL: {0}")]
    Malformed(String),
    /// It contradicts itself about TLS.
    #[error("bad database URL: {0}")]
    Contradiction(&'static str),
    /// A file that it names can't be used.
    #[error("bad database URL: {0}")]
    Tls(#[from] TlsError),
}

impl Database {
    /// Reads a URL and the files that it names, so that an error shows at once and not at the first connection.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let Some(parameters) = Parameters::of(url) else {
            return Err(BadUrl::Malformed(
                "it is neither postgres://… nor name=value …".to_owned(),
            ));
        };
        let mut config: Config = parameters.rest.parse().map_err(malformed)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadUrl::Malformed("it names no host".to_owned()));
        }
        let (mode, protection) = protection(&parameters)?;
        // `prefer` without a client certificate reads no file; each other mode shows here whether it can work.
        if mode == SslMode::Require || protection.identity.is_some() {
            protection.client_config()?;
        }
        config.ssl_mode(mode);
        let mut database = Self {
            config,
            protection,
            given: parameters.others,
        };
        database.limit(CONNECT_TIMEOUT, TCP_USER_TIMEOUT);
        if !database.gives("keepalives_idle") {
            database.config.keepalives_idle(KEEPALIVE_IDLE);
        }
        if !database.gives("keepalives_interval") {
            database.config.keepalives_interval(KEEPALIVE_INTERVAL);
        }
        if !database.gives("keepalives_retries") {
            database.config.keepalives_retries(KEEPALIVE_RETRIES);
        }
        Ok(database)
    }

    /// What the server shows as the name of the connection, unless the URL says another.
    #[must_use]
    pub fn named(mut self, application_name: &str) -> Self {
        if !self.gives("application_name") {
            self.config.application_name(application_name);
        }
        self
    }

    /// Settings of its sessions. They come after those in the URL's `options`, so of two for one name these count; all
    /// others in the URL, such as `search_path`, are kept.
    #[must_use]
    pub fn set(mut self, settings: &[(&str, &str)]) -> Self {
        let mut options = self.config.get_options().unwrap_or_default().to_owned();
        for (name, value) in settings {
            let value = value.replace('\\', r"\\").replace(' ', r"\ ");
            let separator = if options.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = write!(options, "{separator}-c {name}={value}");
        }
        self.config.options(options);
        self
    }

    /// How long the TCP connect may take, per address, and how long what was sent may stay unacknowledged; unless the URL
    /// says otherwise.
    #[must_use]
    pub fn within(mut self, connect: Duration, unacknowledged: Duration) -> Self {
        self.limit(connect, unacknowledged);
        self
    }

    fn limit(&mut self, connect: Duration, unacknowledged: Duration) {
        if !self.gives("connect_timeout") {
            self.config.connect_timeout(connect);
        }
        if !self.gives("tcp_user_timeout") {
            self.config.tcp_user_timeout(unacknowledged);
        }
    }

    /// A new connection. The second part must be driven for the first to work.
    pub async fn connect(&self) -> Result<Connected, Error> {
        // A handshake is a large future, and callers hold it in theirs.
        Box::pin(self.config.connect(self.protection.clone())).await
    }

    /// Its hosts and ports, for log lines: nothing of its URL that is secret.
    pub fn address(&self) -> String {
        let ports = self.config.get_ports();
        let of = |(at, host): (usize, &Host)| {
            // One port is all hosts' port.
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().enumerate().map(of).collect();
        hosts.join(",")
    }

    /// For a pool: what tokio-postgres knows of it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// For a pool: what protects its connections.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    fn gives(&self, parameter: &str) -> bool {
        self.given.iter().any(|given| given == parameter)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("hosts", &self.config.get_hosts())
            .field("name", &self.config.get_dbname())
            .field("protection", &self.protection)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn malformed(error: Error) -> BadUrl {
    // The parse error names what is wrong without quoting the URL.
    BadUrl::Malformed(match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

fn protection(parameters: &Parameters) -> Result<(SslMode, Protection), BadUrl> {
    let file = |name| {
        parameters
            .ours
            .get(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    // `system` is libpq's name for the authorities that the system trusts.
    let root = file("sslrootcert");
    let system = root.as_ref().is_some_and(|root| root.as_os_str() == "system");
    let (mode, proof) = match parameters.ours.get("sslmode").map(String::as_str) {
        Some("verify-full") => (SslMode::Require, Proof::Host),
        Some("verify-ca") if system => {
            return Err(BadUrl::Contradiction(
                "sslrootcert=system needs sslmode=verify-full, since every site on the web has a certificate of such an authority",
            ));
        }
        Some("verify-ca") => (SslMode::Require, Proof::Chain),
        // A named CA is used.
        None | Some("require") if root.is_some() => (SslMode::Require, Proof::Host),
        Some("require") => (SslMode::Require, Proof::Nothing),
        Some("prefer" | "disable") if root.is_some() => {
            return Err(BadUrl::Contradiction(
                "sslrootcert is given, but sslmode verifies nothing: it should be verify-full",
            ));
        }
        None | Some("prefer") => (SslMode::Prefer, Proof::Nothing),
        Some("disable") => (SslMode::Disable, Proof::Nothing),
        Some(_) => {
            return Err(BadUrl::Contradiction(
                "sslmode is none of disable, prefer, require, verify-ca and verify-full",
            ));
        }
    };
    let identity = match (file("sslcert"), file("sslkey")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(BadUrl::Contradiction("sslcert and sslkey go together")),
    };
    let authorities = root.filter(|_| !system);
    Ok((
        mode,
        Protection {
            proof,
            authorities,
            identity,
        },
    ))
}
