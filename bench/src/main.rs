//! `bench`: the speed of the log and of what is built on it, compared with other stores on the same Postgres in the same
//! run.

mod account;
mod append;
mod batch;
mod contender;
mod current;
mod history;
mod http;
mod limit;
mod measure;
mod ours;
mod peers;
mod personal;
mod projection;
mod provider;
mod rate_limits;
mod read;
mod report;
mod seal;
mod server;
mod visible;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::append::Effort;
use crate::report::Report;
use crate::server::Bench;

/// Measures the log and its peers, several runs each, and keeps the results
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// What to measure
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
    /// Seconds that a run is measured
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Runs of each figure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// Leave out what others built
    #[arg(long)]
    no_peers: bool,
    /// Only figures whose line has this in it; the results are not kept
    #[arg(long)]
    only: Option<String>,
    /// Events in the log that projections are made from, and in the one that is sealed and verified
    #[arg(long, default_value_t = projection::EVENTS, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    events: u64,
    /// Events in the log before anything is appended, for the figures at another size
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    log_size: u64,
    /// How many times ten years of the real shop the pages are read from
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where the results are kept
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Appending commands: ours, the limit, pgbench, cqrs-es + postgres-es, message-db and Emmett
    Append,
    /// Purchases through HTTP, by 1 and by 64 kept connections
    Http,
    /// Purchases from order to collected money, at a provider that takes 300 ms for each call
    Current,
    /// Batches of 10,000 items, and customers beside them
    Batch,
    /// From commit to the read model, at a steady rate: ours, message-db and Emmett
    Visible,
    /// A projector that catches up, and a rebuild; message-db's and Emmett's projections
    Projection,
    /// Appending while the sealer runs; sealing and verifying a log; making and checking a proof
    Seal,
    /// What a request pays for its rate limits
    Limits,
    /// Pages over HTTP at the size of ten years, beside a bare handler of the same statement and Prisma
    Read,
    /// All of these, one after the other
    All,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let all = [
        What::Append,
        What::Http,
        What::Current,
        What::Batch,
        What::Visible,
        What::Projection,
        What::Seal,
        What::Limits,
        What::Read,
    ];
    for what in all
        .into_iter()
        .filter(|what| [*what, What::All].contains(&cli.what))
    {
        // Fresh servers each, so that none pays for another's leftovers.
        let bench = Bench::start().await?;
        let outcome = run(&bench, what, &cli).await;
        bench.stop().await;
        let report = outcome?;
        if cli.only.is_none() {
            let (path, markdown) = report.write(&cli.results)?;
            print(&format!("{markdown}\nkept as {}\n", path.display()));
        }
    }
    Ok(())
}

async fn run(bench: &Bench, what: What, cli: &Cli) -> anyhow::Result<Report> {
    let effort = Effort {
        warm_up: Duration::from_millis(500),
        length: Duration::from_secs(cli.seconds),
        rounds: cli.rounds.into(),
        only: cli.only.clone(),
    };
    match what {
        What::Http => http::run(bench, &effort).await,
        What::Current => current::run(bench, &effort).await,
        What::Batch => batch::run(bench, &effort).await,
        What::Visible => visible::run(bench, &effort, !cli.no_peers).await,
        What::Projection => projection::run(bench, &effort, !cli.no_peers, cli.events).await,
        What::Seal => seal::run(bench, &effort, cli.events).await,
        What::Limits => rate_limits::run(bench, &effort).await,
        What::Read => read::run(bench, &effort, !cli.no_peers, cli.scale).await,
        _ => append::run(bench, effort, !cli.no_peers, cli.log_size).await,
    }
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn print(text: &str) {
    println!("{text}");
}
