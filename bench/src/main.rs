//! `bench`: how fast the log and what is built on it are, beside what others build on the same Postgres in the same run.

mod account;
mod append;
mod contender;
mod http;
mod limit;
mod measure;
mod ours;
mod peers;
mod provider;
mod report;
mod server;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::append::Effort;
use crate::report::Report;
use crate::server::Bench;

#[derive(Parser)]
#[command(
    version,
    about = "Measures the log and its peers, several runs each, and keeps the results"
)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Appending commands: ours, the limit, pgbench, cqrs-es + postgres-es, message-db and Emmett
    Append {
        /// Leave out what others built
        #[arg(long)]
        no_peers: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Purchases through HTTP, by 1 and by 64 kept connections
    Http {
        #[command(flatten)]
        common: Common,
    },
}

impl What {
    fn common(&self) -> &Common {
        match self {
            Self::Append { common, .. } | Self::Http { common } => common,
        }
    }
}

#[derive(Args, Clone)]
struct Common {
    /// Seconds a run is measured
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Runs of each figure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// Only figures whose line has this in it; the results are not kept
    #[arg(long)]
    only: Option<String>,
    /// Where the results are kept
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

impl Common {
    fn effort(&self) -> Effort {
        Effort {
            warm_up: Duration::from_millis(500),
            length: Duration::from_secs(self.seconds),
            rounds: self.rounds.into(),
            only: self.only.clone(),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { what } = Cli::parse();
    let bench = Bench::start().await?;
    let outcome = run(&bench, &what).await;
    bench.stop().await;
    let report = outcome?;
    let common = what.common();
    if common.only.is_none() {
        let (path, markdown) = report.write(&common.results)?;
        print(&format!("{markdown}\nkept as {}", path.display()));
    }
    Ok(())
}

async fn run(bench: &Bench, what: &What) -> anyhow::Result<Report> {
    match what {
        What::Append { no_peers, common } => append::run(bench, common.effort(), !no_peers).await,
        What::Http { common } => http::run(bench, &common.effort()).await,
    }
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn print(text: &str) {
    println!("{text}");
}
