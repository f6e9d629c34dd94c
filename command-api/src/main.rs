//! The write side of the shop. `command-api --help` says what it can do.

use std::process::ExitCode;

use clap::Parser as _;
use command_api::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    service::exit("command-api", Box::pin(run(Cli::parse())).await)
}
