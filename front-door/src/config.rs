//! Flags and environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand};
use service::auth::AuthOptions;
use service::http::HttpOptions;
use service::ops::OpsOptions;
use service::secret::Secret;
use service::telemetry::LogOptions;

use crate::origin::Origin;

/// Holds the sessions of browsers, and tells the edge whose token a request carries.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve logins and sessions until SIGTERM or SIGINT
    Serve(Box<ServeOptions>),
}

/// Options of `serve`. Each is a flag and an environment variable.
#[derive(Debug, Args)]
#[command(mut_arg("ops_listen", |arg| arg.default_value("127.0.0.1:9083")))]
pub struct ServeOptions {
    /// Where the edge reaches this program
    #[arg(
        long,
        env = "LISTEN",
        default_value = "127.0.0.1:8082",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Where metrics and health are served.
    #[command(flatten)]
    pub ops: OpsOptions,
    /// Where browsers see the shop, without a path: `https`, or `http` on this machine
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Origin,
    /// File of the keys that seal cookies, one a line: a name and 64 hexadecimal digits. The first seals, all open. It is read
    /// again when it changes
    #[arg(long, env = "SESSION_KEYS_FILE", value_name = "FILE")]
    pub session_keys_file: PathBuf,
    /// Where people log in.
    #[command(flatten)]
    pub provider: ProviderOptions,
    /// Which tokens are accepted, the same as at the APIs.
    #[command(flatten)]
    pub auth: AuthOptions,
    /// Limits of HTTP.
    #[command(flatten)]
    pub http: HttpOptions,
    /// How and what to log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// The issuer as this program's partner.
#[derive(Clone, Debug, Args)]
pub struct ProviderOptions {
    /// The issuer's description of itself, which names its addresses (`…/.well-known/openid-configuration`)
    #[arg(long, env = "OIDC_DISCOVERY_URL", value_name = "URL")]
    pub oidc_discovery_url: String,
    /// The name that the issuer knows this program by
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: String,
    /// What is asked of the issuer, separated by spaces; some issue refresh tokens only for `offline_access`
    #[arg(
        long,
        env = "OIDC_SCOPE",
        default_value = "openid profile",
        value_name = "NAMES"
    )]
    pub oidc_scope: String,
    /// The password of this program at the issuer, if it has one
    #[arg(
        long,
        env = "OIDC_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub oidc_client_secret: Option<Secret>,
    /// A file that holds the password, instead of giving it directly
    #[arg(long, env = "OIDC_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub oidc_client_secret_file: Option<PathBuf>,
}

impl ProviderOptions {
    /// The password at the issuer, if there is one.
    pub fn client_secret(&self) -> anyhow::Result<Option<Secret>> {
        let file = self.oidc_client_secret_file.as_deref();
        Ok(Secret::given(
            "oidc-client-secret",
            self.oidc_client_secret.as_ref(),
            file,
        )?)
    }

    /// Refuses a client that has the name of the APIs: proofs of login would then be tokens for them.
    pub(crate) fn check(&self, audience: &str) -> anyhow::Result<()> {
        ensure!(
            self.oidc_client_id != audience,
            "--oidc-client-id and --jwt-audience are the same"
        );
        Ok(())
    }
}
