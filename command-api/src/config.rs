//! Every setting, from flags or the environment.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use event_bus::{Access, BadDeclaration, Login, StreamConfig, TlsFiles};
use service::auth::AuthOptions;
use service::http::HttpOptions;
use service::limits::LimitOptions;
use service::nats::{BusOptions, SubjectOptions};
use service::ops::OpsOptions;
use service::postgres::{EventsDatabase, PoolOptions};
use service::redis::RedisOptions;
use service::return_key::ReturnKeyOptions;
use service::secret::Secret;
use service::telemetry::LogOptions;

use crate::batch_command::BatchCommand;
use crate::letters::LetterArgs;
use crate::payment_settings::PaymentArgs;
use crate::personal_data::{ErasuresCommand, KeysCommand};
use crate::reconciliation::ReconcileOptions;
use crate::sealing::{LogCommand, SealArgs};
use crate::shop_settings::{PersonalDataArgs, ShopArgs};
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
    /// Do many commands of one kind, from a file
    #[command(subcommand)]
    Batch(BatchCommand),
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
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) redis: RedisOptions,
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
    pub(crate) letters: LetterArgs,
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
