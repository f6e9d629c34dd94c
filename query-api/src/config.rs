//! Flags and environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use query::Cursors;
use service::auth::AuthOptions;
use service::http::HttpOptions;
use service::limits::LimitOptions;
use service::ops::OpsOptions;
use service::postgres::{PoolOptions, ReadDatabase};
use service::redis::RedisOptions;
use service::return_key::ReturnKeyOptions;
use service::secret::Secret;
use service::seller::SellerOptions;
use service::telemetry::LogOptions;

use crate::keys::commands::KeysCommand;
use crate::reading::ReadingOptions;
use crate::stream::StreamOptions;

/// Answers every GET of the license shop from the read model.
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
    /// Serve the API until SIGTERM or SIGINT
    Serve(Box<ServeOptions>),
    /// Make, rotate and show the keys that sign the QR codes of licenses
    #[command(subcommand)]
    LicenseKeys(KeysCommand),
}

/// Options of `serve`. Each is a flag and an environment variable.
#[derive(Debug, Args)]
// A page is read in milliseconds; what takes seconds is refused rather than left to pile up.
#[command(mut_arg("db_statement_timeout_s", |arg| arg.default_value("5")))]
#[command(mut_arg("db_pool_size", |arg| arg.help("The most connections to one database for people who are logged in")))]
#[command(mut_arg("ops_listen", |arg| arg.default_value("127.0.0.1:9081")))]
// Streams keep their connections. What they may have leaves enough for requests.
#[command(mut_arg("max_connections", |arg| arg.default_value("14096")))]
pub struct ServeOptions {
    /// Where the API listens
    #[arg(
        long,
        env = "LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Where metrics and health are served.
    #[command(flatten)]
    pub ops: OpsOptions,
    /// The read database, as a role that can only select.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// Signs page cursors: at least 32 bytes, the same for all instances
    #[arg(long, env = "CURSOR_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub cursor_secret: Option<Secret>,
    /// A file that holds the cursor secret, instead of giving it directly
    #[arg(long, env = "CURSOR_SECRET_FILE", value_name = "PATH")]
    pub cursor_secret_file: Option<PathBuf>,
    /// Checks the capabilities of return URLs.
    #[command(flatten)]
    pub return_key: ReturnKeyOptions,
    /// Who signs licenses, and who sells them.
    #[command(flatten)]
    pub documents: DocumentOptions,
    /// Which tokens are accepted.
    #[command(flatten)]
    pub auth: AuthOptions,
    /// The connections of people who are logged in.
    #[command(flatten)]
    pub pool: PoolOptions,
    /// Replicas, and the connections of others.
    #[command(flatten)]
    pub reading: ReadingOptions,
    /// Limits of requests.
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Where the limits are shared.
    #[command(flatten)]
    pub redis: RedisOptions,
    /// Limits of streams.
    #[command(flatten)]
    pub streams: StreamOptions,
    /// Addresses of command-api's readiness, of each instance, separated by commas: GET /status then says whether orders are
    /// taken
    #[arg(
        long,
        env = "COMMAND_API_READY_URL",
        value_delimiter = ',',
        value_name = "URLS"
    )]
    pub command_api_ready_url: Vec<String>,
    /// Limits of HTTP.
    #[command(flatten)]
    pub http: HttpOptions,
    /// How and what to log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// What documents are made with.
#[derive(Clone, Debug, Args)]
pub struct DocumentOptions {
    /// File of the keys that sign the QR codes of licenses; without it there are no codes, documents of licenses and lists
    #[arg(
        long,
        env = "LICENSE_KEYS_FILE",
        value_name = "FILE",
        requires = "root_key_file"
    )]
    pub license_keys_file: Option<PathBuf>,
    /// File of the root key, which signs the lists that gates read
    #[arg(
        long,
        env = "ROOT_KEY_FILE",
        value_name = "FILE",
        requires = "license_keys_file"
    )]
    pub root_key_file: Option<PathBuf>,
    /// Who is on receipts.
    #[command(flatten)]
    pub seller: SellerOptions,
}

impl ServeOptions {
    /// The cursors, with the secret that was given; there is no default, since a known secret signs anything.
    pub fn cursors(&self) -> anyhow::Result<Cursors> {
        let file = self.cursor_secret_file.as_deref();
        let secret = Secret::required("cursor-secret", self.cursor_secret.as_ref(), file)?;
        Cursors::new(secret.expose().as_bytes())
    }
}
