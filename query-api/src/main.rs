//! `query-api`: answers every `GET` of the shop. See `query-api --help`.

use std::process::ExitCode;

use clap::Parser;
use query_api::config::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => query_api::serve(*options).await,
        Command::LicenseKeys(command) => query_api::keys::commands::run(command),
    };
    service::exit("query-api", done)
}
