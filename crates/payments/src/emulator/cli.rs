//! The command line of `payment-emulator`, kept here so that its `main` stays a list of steps.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use secret::{BadSecret, Secret};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::{Faults, Options, Webhook};
use crate::vipps::{CredentialArgs, Credentials};

/// How long a running emulator may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(10);

/// Emulates the APIs of Vipps MobilePay ePayment and of Nexi Checkout: payments, the customer's page, the merchant's portal,
/// webhooks, and faults on demand.
#[derive(Parser)]
#[command(name = "payment-emulator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `payment-emulator` does.
#[derive(Subcommand)]
pub enum Command {
    /// Runs the emulator
    Serve(Box<ServeOptions>),
    /// Shows what goes wrong in a running emulator, or changes it
    #[command(after_help = FAULTS_HELP)]
    Faults {
        /// What goes wrong from now on, as JSON; `{}` ends everything. Without it the faults are shown
        faults: Option<String>,
        /// Of which emulator.
        #[command(flatten)]
        at: Ask,
    },
    /// Writes every payment of a running emulator with its sums and movements, one line of JSON each
    Books {
        /// Of which emulator.
        #[command(flatten)]
        at: Ask,
    },
}

const FAULTS_HELP: &str = r#"A rule has a fault and a scope, all of which may be left out: {"fault": …, "provider": "vipps" or "nexi",
"operation": "create", "get", "capture", "refund" or "cancel", "reference": "…", "next": N, "probability": 0.1}

Faults of the API:
  {"slow_ms": N}              the work is done, and answered late
  {"fail": 500}               no work is done
  "answer_lost"               the work is done, and answered 503
  "answer_never"              the work is done, and never answered
  {"reset": "work"}           the connection is reset before the work; "answer": after it
  {"too_many_requests": N}    429 with Retry-After of N seconds
  {"refuse": 402}             the request is refused for good
  "create_conflict"           a create at Vipps is answered 409
  "webhook_first"             a create is answered after its webhook
  "approve_first"             the customer approves before a create is answered

Faults of the payment:
  {"approve_differs": ORE}    the customer approves this much more; less with a minus
  "decline", "abandon"        an approval is a decline, or nothing
  {"portal_capture": PERCENT} a person takes it after an approval
  {"portal_refund": PERCENT}  a person gives it back after a capture
  {"reservation_ends_ms": N}  the reservation runs out
  {"refund_takes_ms": N}      a refund at Nexi is pending
  {"refund_fails_ms": N}      a refund at Nexi is pending, and fails

Faults of the webhooks:
  "webhook_drop"              never sent
  "webhook_duplicate"         sent twice
  {"webhook_delay_ms": N}     sent late
  "webhook_out_of_order"      sent after the next one
  "webhook_spoilt"            the signature or authorization does not match
  "webhook_forged"            a forged one comes as well, and first
  {"webhook_amount": ORE}     it claims this much more, with the right signature

Example, for half of all captures at Nexi, with dice that begin at 7:
  {"rules": [{"fault": "answer_never", "provider": "nexi", "operation": "capture", "probability": 0.5}], "seed": 7}"#;

/// Which emulator is asked.
#[derive(Args)]
pub struct Ask {
    /// Address of the running emulator
    #[arg(
        long,
        env = "PAYMENT_EMULATOR_URL",
        default_value = "http://127.0.0.1:8090",
        value_name = "URL"
    )]
    url: String,
}

impl Ask {
    /// Shows the faults, or sets them first.
    pub async fn faults(&self, faults: Option<String>) -> anyhow::Result<()> {
        let url = format!("{}/emulator/faults", self.url.trim_end_matches('/'));
        if let Some(faults) = faults {
            self.send(client()?.post(&url).body(faults)).await?;
        }
        let shown = self.send(client()?.get(&url)).await?;
        writeln!(std::io::stdout().lock(), "{shown}")?;
        Ok(())
    }

    /// Writes the books.
    pub async fn books(&self) -> anyhow::Result<()> {
        let (http, mut after) = (client()?, Some(0_u64));
        while let Some(from) = after {
            let url = format!("{}/emulator/books?after={from}", self.url.trim_end_matches('/'));
            let page: serde_json::Value = serde_json::from_str(&self.send(http.get(url)).await?)?;
            for payment in page["payments"].as_array().into_iter().flatten() {
                writeln!(std::io::stdout().lock(), "{payment}")?;
            }
            after = page["next"].as_u64();
        }
        Ok(())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let answer = request
            .send()
            .await
            .with_context(|| format!("no emulator answers at {}", self.url))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the emulator answers {status}: {text}");
        }
        Ok(text)
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    Ok(http.build()?)
}

/// How the emulator runs.
#[derive(Args)]
pub struct ServeOptions {
    /// Address to listen on; port 0 takes a free one and logs it.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Public address of this emulator; every redirect URL starts with it [default: `http://LISTEN`].
    #[arg(long, env = "PUBLIC_URL")]
    public_url: Option<String>,
    /// File that keeps payments and undelivered webhooks over a restart; without one they are lost when it stops.
    #[arg(long, env = "DATA_FILE")]
    data_file: Option<PathBuf>,
    /// Where to send the webhooks of Vipps, such as `http://127.0.0.1:8080/api/v1/webhooks/vipps`; without it the emulator sends none.
    #[arg(long, env = "WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// Secret that the webhooks of Vipps are signed with.
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
    /// Secret key that merchants must present at Nexi; without one, Nexi's API refuses every request.
    #[arg(long, env = "NEXI_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    nexi_secret_key: Option<Secret>,
    /// File that holds that key instead.
    #[arg(long, env = "NEXI_SECRET_KEY_FILE", value_name = "FILE")]
    nexi_secret_key_file: Option<PathBuf>,
    /// Seconds a payment waits for the customer.
    #[arg(long, env = "PAYMENT_TTL_S", default_value_t = 600)]
    payment_ttl_s: u64,
    /// Seconds a reservation stands, unless a fault ends it sooner.
    #[arg(long, env = "RESERVATION_TTL_S", default_value_t = 604_800)]
    reservation_ttl_s: u64,
    /// What goes wrong from the start, as JSON: see `payment-emulator faults --help`.
    #[arg(long, env = "FAULTS", default_value = "{}", value_name = "JSON", value_parser = faults)]
    faults: Faults,
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
enum LogFormat {
    Json,
    Text,
}

impl ServeOptions {
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
            max_retry_delay: Duration::from_millis(self.webhook_max_retry_delay_ms),
            nexi_secret_key: Secret::given(
                "nexi-secret-key",
                self.nexi_secret_key.as_ref(),
                self.nexi_secret_key_file.as_deref(),
            )?,
            reservation_ttl: Duration::from_secs(self.reservation_ttl_s),
            faults: self.faults,
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
        }))
    }
}

fn faults(text: &str) -> Result<Faults, String> {
    let faults: Faults = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match faults.complaint() {
        None => Ok(faults),
        Some(complaint) => Err(complaint.to_owned()),
    }
}
