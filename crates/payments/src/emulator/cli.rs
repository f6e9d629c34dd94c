//! The command line of `payment-emulator`, kept here so that its `main` stays a list of steps.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use secret::{BadSecret, Secret};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::{Options, Webhook};
use crate::vipps::{CredentialArgs, Credentials};

/// Emulates the Vipps MobilePay ePayment API: payments, the customer's page, signed webhooks, and faults on demand.
#[derive(Parser)]
#[command(name = "payment-emulator", version)]
pub struct Cli {
    /// Accepted so that every program of this project starts alike.
    #[arg(value_enum, hide = true)]
    command: Option<Command>,
    /// Address to listen on; port 0 takes a free one and logs it.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Public address of this emulator; every redirect URL starts with it [default: `http://LISTEN`].
    #[arg(long, env = "PUBLIC_URL")]
    public_url: Option<String>,
    /// File that keeps payments and undelivered webhooks over a restart; without one they are lost when it stops.
    #[arg(long, env = "DATA_FILE")]
    data_file: Option<PathBuf>,
    /// Where to send webhooks, such as `http://127.0.0.1:8080/api/v1/webhooks/vipps`; without it the emulator sends none.
    #[arg(long, env = "WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// Secret that webhooks are signed with.
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<Secret>,
    /// File that holds that secret instead.
    #[arg(long, env = "WEBHOOK_SECRET_FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Longest wait between two deliveries of a webhook, in milliseconds.
    #[arg(long, env = "WEBHOOK_MAX_RETRY_DELAY_MS", default_value_t = 5000)]
    webhook_max_retry_delay_ms: u64,
    /// Credentials that merchants must present.
    #[command(flatten)]
    credentials: CredentialArgs,
    /// Seconds a payment waits for the customer.
    #[arg(long, env = "PAYMENT_TTL_S", default_value_t = 600)]
    payment_ttl_s: u64,
    /// Seconds an access token is valid.
    #[arg(long, env = "ACCESS_TOKEN_TTL_S", default_value_t = 3600)]
    access_token_ttl_s: u64,
    /// Most payments kept; creating more is refused with 507.
    #[arg(long, env = "MAX_PAYMENTS", default_value_t = 1_000_000)]
    max_payments: usize,
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,payments=debug`.
    #[arg(long, env = "LOG_FILTER", default_value = "info")]
    log_filter: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Command {
    Serve,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

impl Cli {
    /// Starts logging to standard error.
    pub fn start_logging(&self) -> Result<(), ParseError> {
        let filter = EnvFilter::try_new(&self.log_filter)?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Json => log.json().flatten_event(true).init(),
            LogFormat::Text => log.init(),
        }
        Ok(())
    }

    /// The options of the emulator that listens at `address`.
    pub fn into_options(self, address: SocketAddr) -> Result<Options, BadSecret> {
        let credentials = self.credentials.credentials()?;
        let webhook = self.webhook(&credentials)?;
        Ok(Options {
            public_url: self.public_url.unwrap_or_else(|| format!("http://{address}")),
            webhook,
            credentials,
            data_file: self.data_file,
            payment_ttl: Duration::from_secs(self.payment_ttl_s),
            access_token_ttl: Duration::from_secs(self.access_token_ttl_s),
            max_payments: self.max_payments,
        })
    }

    fn webhook(&self, credentials: &Credentials) -> Result<Option<Webhook>, BadSecret> {
        let file = self.webhook_secret_file.as_deref();
        let secret = Secret::given("webhook-secret", self.webhook_secret.as_ref(), file)?;
        let Some(url) = self.webhook_url.clone() else {
            return Ok(None);
        };
        Ok(Some(Webhook {
            url,
            secret: secret
                .ok_or(BadSecret::Missing("webhook-secret"))?
                .expose()
                .to_owned(),
            merchant_serial_number: credentials.merchant_serial_number.clone(),
            max_retry_delay: Duration::from_millis(self.webhook_max_retry_delay_ms),
        }))
    }
}
