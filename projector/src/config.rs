//! Flags and environment.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use event_bus::{Access, Login, TlsFiles};
use event_store::vault::Vault;
use projection::RebuildTask;
use service::nats::{BusOptions, SubjectOptions};
use service::ops::OpsOptions;
use service::postgres::{EventsDatabase, PoolOptions, ReadDatabase};
use service::secret::Secret;
use service::telemetry::LogOptions;
use uuid::Uuid;

/// The tables that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProjectionName {
    /// What pages and gates read
    Licensing,
    /// Sums: activities and sales
    Reports,
}

impl ProjectionName {
    /// The name of its catch-up subscription, a label of metrics.
    pub(crate) const fn subscription(self) -> &'static str {
        match self {
            Self::Licensing => "projector",
            Self::Reports => "projector_reports",
        }
    }
}

/// Turns the event log of the license shop into the tables that query-api reads.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the log until SIGTERM or SIGINT
    Serve(Box<ServeOptions>),
    /// Bring the read database to this build's schema
    Migrate(MigrateOptions),
    /// Report how far log, stream and rows are: exit status 0 if all is well, 1 if not, 2 if that could not be examined
    Status(StatusOptions),
    /// Prove that the log is whole, that the stream holds what the log holds, and that the rows equal a replay of the log;
    /// includes `status`, with the same exit status
    Verify(VerifyOptions),
    /// Rebuild the rows from the log in a shadow schema, compare, and swap, while reads and projection continue: exit status
    /// 0 if that was done, 1 if it was refused because of what was found, 2 if it could not be done
    Rebuild(Box<RebuildOptions>),
    /// Aggregates with events that could not be applied
    #[command(subcommand)]
    Parked(ParkedCommand),
}

/// The commands for parked aggregates.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List parked aggregates and the reasons: exit status 0 if there are none, 1 if there are some, 2 if that could not be
    /// examined
    List(ListParkedOptions),
    /// Apply their events again, in order, after the cause is removed: exit status 0 if none is parked any more, 1 if some
    /// are, 2 if that could not be tried
    Retry(Box<RetryParkedOptions>),
}

/// Where the log, the stream and the rows are.
#[derive(Debug, Args)]
pub struct Sources {
    /// The event database, as a role that can only select.
    #[command(flatten)]
    pub events: EventsDatabase,
    /// The read database, as its owner.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// NATS, its user, and the stream.
    #[command(flatten)]
    pub bus: BusOptions,
    /// Personal data.
    #[command(flatten)]
    pub personal_data: PersonalDataArgs,
}

impl Sources {
    /// NATS with its login.
    pub(crate) fn bus(&self) -> anyhow::Result<Access> {
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

    /// The same for the commands that examine, with secrets read.
    pub(crate) fn open(&self) -> anyhow::Result<projection::Sources> {
        Ok(projection::Sources {
            events_url: self.events.url()?.expose().to_owned(),
            read_url: self.read.url()?.expose().to_owned(),
            vault: self.personal_data.vault()?,
            bus: self.bus()?,
            stream: self.bus.stream.clone(),
        })
    }
}

/// How personal data is read.
#[derive(Debug, Args)]
pub struct PersonalDataArgs {
    /// File with the master keys of personal data; without it, a log with sealed data can't be read
    #[arg(long, env = "MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
}

impl PersonalDataArgs {
    /// What opens personal data, if there is a file.
    pub(crate) fn vault(&self) -> anyhow::Result<Option<Arc<Vault>>> {
        let open = |file| Vault::new(file).context("--master-key-file");
        Ok(self.master_key_file.as_ref().map(open).transpose()?.map(Arc::new))
    }
}

/// Options of `serve`. Each is a flag and an environment variable.
#[derive(Debug, Args)]
#[command(mut_arg("ops_listen", |arg| arg.default_value("127.0.0.1:9082")))]
pub struct ServeOptions {
    /// Where metrics and health are served.
    #[command(flatten)]
    pub ops: OpsOptions,
    /// Where events come from and rows go to.
    #[command(flatten)]
    pub sources: Sources,
    /// The stream's subjects.
    #[command(flatten)]
    pub subjects: SubjectOptions,
    /// Limits of each of the database pools.
    #[command(flatten)]
    pub pool: PoolOptions,
    /// How and what to log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// Options of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateOptions {
    /// The read database, as its owner.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// How and what to log.
    #[command(flatten)]
    pub log: LogOptions,
}

/// How far behind is too far.
#[derive(Debug, Args)]
pub struct Limits {
    /// How many events one hop may be behind before that is a problem
    #[arg(
        long,
        env = "MAX_LAG_POSITIONS",
        default_value_t = 1_000,
        value_name = "COUNT"
    )]
    pub max_lag_positions: u64,
    /// How many seconds an event may wait at one hop before that is a problem
    #[arg(long, env = "MAX_LAG_S", default_value_t = 60, value_name = "SECONDS")]
    pub max_lag_s: u32,
}

impl From<Limits> for projection::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            max_lag_positions: limits.max_lag_positions,
            max_lag_s: limits.max_lag_s,
        }
    }
}

/// The running projector, which reports its health and what it found in the stream.
#[derive(Debug, Args)]
pub struct Runner {
    /// Where the running projector serves its health and metrics, to report whether it is ready and what it found in the
    /// stream
    #[arg(long, env = "PROJECTOR_OPS_URL", value_name = "URL")]
    pub projector_ops_url: Option<String>,
}

impl Runner {
    /// The same for one projection.
    pub(crate) fn of(self, name: ProjectionName) -> projection::Runner {
        projection::Runner {
            ops_url: self.projector_ops_url,
            subscription: name.subscription().to_owned(),
        }
    }
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Which projection
    #[arg(
        env = "PROJECTION",
        value_enum,
        default_value = "licensing",
        value_name = "PROJECTION"
    )]
    pub name: ProjectionName,
    /// What to examine.
    #[command(flatten)]
    pub sources: Sources,
    /// How far behind is too far.
    #[command(flatten)]
    pub limits: Limits,
    /// The running projector.
    #[command(flatten)]
    pub runner: Runner,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    pub json: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    /// Which projection
    #[arg(
        env = "PROJECTION",
        value_enum,
        default_value = "licensing",
        value_name = "PROJECTION"
    )]
    pub name: ProjectionName,
    /// What to examine.
    #[command(flatten)]
    pub sources: Sources,
    /// How far behind is too far.
    #[command(flatten)]
    pub limits: Limits,
    /// The running projector.
    #[command(flatten)]
    pub runner: Runner,
    /// How many messages of the stream to compare with the log, spread evenly; 0 for all of them
    #[arg(long, env = "STREAM_SAMPLE", default_value_t = 1_000, value_name = "COUNT")]
    pub stream_sample: u64,
    /// Seconds a single SQL statement may run; 0 for no limit, because counting a long log takes long
    #[arg(
        long,
        env = "VERIFY_STATEMENT_TIMEOUT_S",
        default_value_t = 0,
        value_name = "SECONDS"
    )]
    pub statement_timeout_s: u32,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    pub json: bool,
}

/// Options of `rebuild`.
#[derive(Debug, Args)]
pub struct RebuildOptions {
    /// Which projection to rebuild
    #[arg(env = "PROJECTION", value_enum, value_name = "PROJECTION")]
    pub name: ProjectionName,
    /// The event database, as a role that can only select.
    #[command(flatten)]
    pub events: EventsDatabase,
    /// The read database, as its owner.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// Personal data.
    #[command(flatten)]
    pub personal_data: PersonalDataArgs,
    /// Swap also if the rebuilt rows differ from the live ones, as those of a changed read model do
    #[arg(long, env = "ACCEPT_DIFFERENCES")]
    pub accept_differences: bool,
    /// How many positions of the log each worker reads at once; memory grows with it
    #[arg(long, env = "REBUILD_WINDOW", default_value_t = projection::WINDOW, value_name = "COUNT")]
    pub window: u64,
    /// What to do instead of a rebuild.
    #[command(flatten)]
    pub instead: Instead,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    pub json: bool,
}

impl RebuildOptions {
    /// What to do, with secrets read.
    pub(crate) fn open(&self) -> anyhow::Result<projection::RebuildOptions> {
        Ok(projection::RebuildOptions {
            events_url: self.events.url()?.expose().to_owned(),
            read_url: self.read.url()?.expose().to_owned(),
            vault: self.personal_data.vault()?,
            window: self.window,
            task: match &self.instead {
                Instead { discard: true, .. } => RebuildTask::Discard,
                Instead { rollback: true, .. } => RebuildTask::RollBack,
                _ => RebuildTask::Build {
                    accept_differences: self.accept_differences,
                },
            },
        })
    }
}

/// What to do with the rows that were kept at the last swap.
#[derive(Debug, Args)]
pub struct Instead {
    /// Make the rows that were live before the last swap live again, and keep the present ones
    #[arg(long, env = "ROLLBACK", conflicts_with_all = ["accept_differences", "discard"])]
    pub rollback: bool,
    /// Drop the rows that were kept at the last swap
    #[arg(long, env = "DISCARD", conflicts_with = "accept_differences")]
    pub discard: bool,
}

/// Options of `parked list`.
#[derive(Debug, Args)]
pub struct ListParkedOptions {
    /// Which projection
    #[arg(
        env = "PROJECTION",
        value_enum,
        default_value = "licensing",
        value_name = "PROJECTION"
    )]
    pub name: ProjectionName,
    /// The read database, as its owner.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// Print JSON, for machines
    #[arg(long, env = "JSON")]
    pub json: bool,
}

/// Options of `parked retry`: one aggregate, or all.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["aggregate_type", "all"]).required(true))]
pub struct RetryParkedOptions {
    /// Which projection
    #[arg(
        env = "PROJECTION",
        value_enum,
        default_value = "licensing",
        value_name = "PROJECTION"
    )]
    pub name: ProjectionName,
    /// The read database, as its owner.
    #[command(flatten)]
    pub read: ReadDatabase,
    /// The event database, as a role that can only select: it has the keys of personal data.
    #[command(flatten)]
    pub events: EventsDatabase,
    /// Personal data.
    #[command(flatten)]
    pub personal_data: PersonalDataArgs,
    /// Kind of the aggregate to retry, for example order
    #[arg(long, env = "AGGREGATE_TYPE", value_name = "TYPE", requires = "aggregate_id")]
    pub aggregate_type: Option<String>,
    /// Id of the aggregate to retry
    #[arg(
        long,
        env = "AGGREGATE_ID",
        value_name = "UUID",
        requires = "aggregate_type",
        conflicts_with = "all"
    )]
    pub aggregate_id: Option<Uuid>,
    /// Retry every parked aggregate
    #[arg(long, env = "RETRY_ALL")]
    pub all: bool,
    /// How and what to log; the outcome for each aggregate is a log line.
    #[command(flatten)]
    pub log: LogOptions,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_option_is_a_flag_with_an_environment_variable_and_help() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        let nested = cli.get_subcommands().flat_map(clap::Command::get_subcommands);
        for command in cli.get_subcommands().chain(nested) {
            for option in command.get_arguments() {
                assert!(option.get_env().is_some(), "{option} has no environment variable");
                assert!(option.get_help().is_some(), "{option} has no help");
            }
        }
    }
}
