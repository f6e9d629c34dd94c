//! `front-door`: the sessions of browsers. See `front-door --help`.

use std::process::ExitCode;

use clap::Parser;
use front_door::config::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => front_door::serve(*options).await,
    };
    service::exit("front-door", done)
}
