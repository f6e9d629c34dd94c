//! The write side of the shop. `command-api --help` says what it can do.

use std::process::ExitCode;

use clap::Parser as _;
use command_api::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "command-api failed");
            // Before the logs are set up, or on a terminal, a person reads this.
            #[expect(
                clippy::print_stderr,
                reason = "the last words of a process that could not run"
            )]
            {
                eprintln!("command-api: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
