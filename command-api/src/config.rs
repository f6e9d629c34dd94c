//! Every setting, from flags or the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use domain::{CapturePolicy, HOLDER_KEY_MIN_BYTES, HolderKey, RefundPolicy};
use event_bus::{Access, BadDeclaration, Login, StreamConfig, TlsFiles};
use event_store::vault::Vault;
use service::auth::AuthOptions;
use service::http::HttpOptions;
use service::nats::{BusOptions, SubjectOptions};
use service::ops::OpsOptions;
use service::postgres::{EventsDatabase, PoolOptions};
use service::return_key::ReturnKeyOptions;
use service::secret::Secret;
use service::telemetry::LogOptions;

use crate::erasure::Ledger;
use crate::payment_settings::PaymentArgs;
use crate::personal_data::{ErasuresCommand, KeysCommand};
use crate::reconciliation::ReconcileOptions;
use crate::sealing::{LogCommand, SealArgs};
use crate::uncollected::PaymentsCommand;

/// The write side of the license shop: commands over HTTP, the relay to the bus, the process managers.
///
/// Every flag can be given as the environment variable named with it; secrets also as a file, by the variable with
/// `_FILE` appended.
#[derive(Parser)]
#[command(name = "command-api", version)]
pub struct Cli {
    /// Where and how to log.
    #[command(flatten)]
    pub(crate) log: LogOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve commands until SIGTERM or SIGINT.
    Serve(Box<ServeOptions>),
    /// Bring the event database to this build's schema, and stop.
    Migrate(EventsDatabase),
    /// Look after the log's seals: verify the log, prove an event, make the key.
    #[command(subcommand)]
    Log(LogCommand),
    /// Look after the master keys of personal data
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look after the ledger of erasures
    #[command(subcommand)]
    Erasures(ErasuresCommand),
    /// Compare orders with their payments at the provider, and heal what differs; exit status 1 if differences are left, 2 if
    /// some order could not be compared
    Reconcile(Box<ReconcileOptions>),
    /// Look after the money: which licenses lack it
    #[command(subcommand)]
    Payments(PaymentsCommand),
}

#[derive(Args)]
pub(crate) struct ServeOptions {
    /// Address for commands
    #[arg(
        long,
        env = "LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) ops: OpsOptions,
    #[command(flatten)]
    pub(crate) database: EventsDatabase,
    #[command(flatten)]
    pub(crate) pool: PoolOptions,
    #[command(flatten)]
    pub(crate) http: HttpOptions,
    #[command(flatten)]
    pub(crate) auth: AuthOptions,
    #[command(flatten)]
    pub(crate) bus: BusArgs,
    #[command(flatten)]
    pub(crate) payments: PaymentArgs,
    #[command(flatten)]
    pub(crate) return_key: ReturnKeyOptions,
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) personal_data: PersonalDataArgs,
    /// Events after which an aggregate gets a new snapshot; 0 for none
    #[arg(long, env = "SNAPSHOT_EVERY", default_value_t = 100, value_name = "EVENTS")]
    pub(crate) snapshot_every: u64,
}

#[derive(Args)]
pub(crate) struct BusArgs {
    #[command(flatten)]
    bus: BusOptions,
    #[command(flatten)]
    subjects: SubjectOptions,
}

impl BusArgs {
    /// The stream that carries the log, under the name and prefix of the settings.
    pub(crate) fn declared(&self) -> Result<StreamConfig, BadDeclaration> {
        StreamConfig::from_declaration(
            events::STREAM_DECLARATION,
            &self.bus.stream,
            &self.subjects.subject_prefix,
        )
    }

    /// Where NATS is, and who asks there.
    pub(crate) fn access(&self) -> anyhow::Result<Access> {
        let nats = &self.bus.nats;
        let password = nats.nats_password.as_ref().map(Secret::expose);
        let login = Login::from_settings(
            nats.nats_user.as_deref(),
            password,
            nats.nats_password_file.as_deref(),
        )?;
        Ok(Access {
            url: nats.url()?.expose().to_owned(),
            login,
            api_prefix: nats.nats_api_prefix.clone(),
            tls: TlsFiles {
                authorities: nats.nats_ca_file.clone(),
                certificate: nats.nats_cert_file.clone(),
                key: nats.nats_key_file.clone(),
            },
        })
    }
}

#[derive(Args)]
pub(crate) struct ShopArgs {
    /// Where the payment provider reaches this service: scheme and host as it signs its webhooks for
    #[arg(
        long,
        env = "PUBLIC_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub(crate) public_url: String,
    /// Where the provider sends the customer's browser back to; `order_id` and the capability `t` are added to its query
    #[arg(
        long,
        env = "RETURN_URL",
        default_value = "http://127.0.0.1:8080/return",
        value_name = "URL"
    )]
    pub(crate) return_url: String,
    /// Seconds that an order may stay unpaid
    #[arg(long, env = "ORDER_TTL_S", default_value_t = 900, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) order_ttl_s: u32,
    #[command(flatten)]
    pub(crate) holder_key: HolderKeyArgs,
    /// Seconds after a capture until the provider's books are looked at again for money that moved outside the shop
    #[arg(long, env = "RECONCILE_AFTER_S", default_value_t = 3600, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub(crate) reconcile_after_s: u32,
    /// Seconds between two rounds of the scheduled comparison of orders with their payments
    #[arg(long, env = "RECONCILE_EVERY_S", default_value_t = 86_400, value_name = "SECONDS",
          value_parser = clap::value_parser!(u32).range(1..=2_592_000))]
    pub(crate) reconcile_every_s: u32,
    /// File that says what to do at once when money can't be collected, by reason; without one, the policy that this build
    /// was made with
    #[arg(long, env = "CAPTURE_POLICY_FILE", value_name = "FILE")]
    capture_policy_file: Option<PathBuf>,
    /// File that says until when and how much of a license's price staff gives back; without one, the policy that this build
    /// was made with
    #[arg(long, env = "REFUND_POLICY_FILE", value_name = "FILE")]
    refund_policy_file: Option<PathBuf>,
}

/// The key of the holder ids.
#[derive(Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named after the fields")]
pub(crate) struct HolderKeyArgs {
    /// Key that holder ids are made with, 32 bytes or more; never changed while the log exists
    #[arg(long, env = "HOLDER_KEY", hide_env_values = true, value_name = "KEY")]
    holder_key: Option<Secret>,
    /// File that holds the key of the holder ids
    #[arg(long, env = "HOLDER_KEY_FILE", value_name = "FILE")]
    holder_key_file: Option<PathBuf>,
}

impl HolderKeyArgs {
    pub(crate) fn key(&self) -> anyhow::Result<HolderKey> {
        let file = self.holder_key_file.as_deref();
        let key = Secret::required("holder-key", self.holder_key.as_ref(), file)?;
        HolderKey::new(key.expose().as_bytes())
            .with_context(|| format!("--holder-key has less than {HOLDER_KEY_MIN_BYTES} bytes"))
    }
}

/// How personal data is kept.
#[derive(Args)]
pub(crate) struct PersonalDataArgs {
    /// File with the master keys of personal data, the active one first (see `keys new`)
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    pub(crate) master_key_file: PathBuf,
    /// File outside the database that erasures are written down in, and carried out from at every start
    #[arg(long, env = "ERASURES_FILE", value_name = "FILE")]
    pub(crate) erasures_file: Option<PathBuf>,
}

impl PersonalDataArgs {
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        self.erasures_file.clone().map(Ledger::new)
    }

    pub(crate) fn vault(&self) -> anyhow::Result<Arc<Vault>> {
        Ok(Arc::new(
            Vault::new(&self.master_key_file).context("--master-key-file")?,
        ))
    }
}

impl ShopArgs {
    pub(crate) fn capture_policy(&self) -> anyhow::Result<CapturePolicy> {
        let built_in = include_str!("../../data/capture-policy.json");
        let text = text(self.capture_policy_file.as_deref(), built_in)?;
        let policy: CapturePolicy = serde_json::from_str(&text).context("--capture-policy-file")?;
        anyhow::ensure!(
            !policy.version.trim().is_empty(),
            "--capture-policy-file: its version is empty"
        );
        tracing::info!(version = policy.version, "capture policy loaded");
        Ok(policy)
    }

    pub(crate) fn refund_policy(&self) -> anyhow::Result<RefundPolicy> {
        let built_in = include_str!("../../data/refund-policy.json");
        let text = text(self.refund_policy_file.as_deref(), built_in)?;
        let policy: RefundPolicy = serde_json::from_str(&text).context("--refund-policy-file")?;
        anyhow::ensure!(
            policy.is_sound(),
            "--refund-policy-file: its version is empty, or its share is above 1000 per mille"
        );
        tracing::info!(version = policy.version, "refund policy loaded");
        Ok(policy)
    }
}

/// The file's text, or the one that this build was made with.
fn text(file: Option<&Path>, built_in: &str) -> anyhow::Result<String> {
    match file {
        None => Ok(built_in.to_owned()),
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        }
    }
}
