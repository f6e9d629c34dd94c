//! `projector`: turns the log into the tables that are read. See `projector --help`.

use std::process::ExitCode;

use clap::Parser;
use projector::config::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(options) => projector::serve(*options).await,
        Command::Migrate(options) => projector::migrate(options).await,
        Command::Status(options) => return projector::status(options).await,
        Command::Verify(options) => return projector::verify(options).await,
        Command::Rebuild(options) => return projector::rebuild(*options).await,
        Command::Parked(command) => return projector::parked(command).await,
    };
    service::exit("projector", outcome)
}
