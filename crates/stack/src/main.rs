//! `stack`: what the Makefile runs.

mod cli;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    cli::Cli::parse().run().await
}
