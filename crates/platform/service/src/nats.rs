//! The settings of a connection to NATS. `event-bus` connects.

use std::path::PathBuf;

use clap::Args;

use crate::secret::{BadSecret, Secret};

/// Address, login and TLS files of NATS.
#[derive(Debug, Clone, Args)]
pub struct NatsOptions {
    /// NATS with JetStream; while it is down, events are read from the event database
    #[arg(
        long,
        env = "NATS_URL",
        value_name = "URL",
        hide_env_values = true,
        required_unless_present = "nats_url_file"
    )]
    nats_url: Option<Secret>,
    /// File that holds that URL instead
    #[arg(long, env = "NATS_URL_FILE", value_name = "FILE")]
    nats_url_file: Option<PathBuf>,
    /// User at NATS; without one, the user and password in its URL, if any
    #[arg(long, env = "NATS_USER", value_name = "NAME")]
    pub nats_user: Option<String>,
    /// Password of that user
    #[arg(long, env = "NATS_PASSWORD", value_name = "SECRET", hide_env_values = true)]
    pub nats_password: Option<Secret>,
    /// File that holds that password instead; read again whenever it connects, so a new password needs no restart
    #[arg(long, env = "NATS_PASSWORD_FILE", value_name = "FILE")]
    pub nats_password_file: Option<PathBuf>,
    /// File with the authorities that may have signed NATS's certificate, in PEM form; without one, those that the system
    /// trusts. It demands TLS, as a URL with tls:// does
    #[arg(long, env = "NATS_CA_FILE", value_name = "FILE")]
    pub nats_ca_file: Option<PathBuf>,
    /// File with a certificate of our own, for a NATS that asks for one
    #[arg(long, env = "NATS_CERT_FILE", value_name = "FILE")]
    pub nats_cert_file: Option<PathBuf>,
    /// File with the key of that certificate
    #[arg(long, env = "NATS_KEY_FILE", value_name = "FILE")]
    pub nats_key_file: Option<PathBuf>,
    /// What the subjects of the JetStream API begin with, as seen by that user (see nats/accounts.conf)
    #[arg(
        long,
        env = "NATS_API_PREFIX",
        default_value = "$JS.API",
        value_name = "SUBJECT"
    )]
    pub nats_api_prefix: String,
}

/// NATS, and the stream in it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct BusOptions {
    /// Address, login and TLS files of NATS.
    #[command(flatten)]
    pub nats: NatsOptions,
    /// The JetStream stream that carries the log
    #[arg(long, env = "STREAM", default_value = "LICENSING", value_name = "NAME")]
    pub stream: String,
}

/// The subjects of the stream, for programs that declare it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct SubjectOptions {
    /// Prefix of the stream's subjects
    #[arg(
        long,
        env = "SUBJECT_PREFIX",
        default_value = "licensing.v1",
        value_name = "SUBJECT"
    )]
    pub subject_prefix: String,
}

impl NatsOptions {
    /// Its URL.
    pub fn url(&self) -> Result<Secret, BadSecret> {
        Secret::required("nats-url", self.nats_url.as_ref(), self.nats_url_file.as_deref())
    }
}
