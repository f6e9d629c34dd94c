//! `query-api`: answers every `GET` of the shop. See `query-api --help`.

use std::process::ExitCode;

use clap::Parser;
use query_api::config::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(options) = Cli::parse().command;
    service::exit("query-api", query_api::serve(*options).await)
}
