//! `query-api`: answers every `GET` of the shop. See `query-api --help`.

use clap::Parser;
use query_api::config::{Cli, Command};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Serve(options) = Cli::parse().command;
    query_api::serve(*options).await
}
