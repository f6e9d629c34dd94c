//! `payment-campaign`, the program behind `make campaign-payments`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stack::Progress;
use system_tests::payment_campaign::{Plan, run};

/// Customers buy through both payment providers while the providers misbehave in every way and both instances of command-api
/// are killed; then the provider's books are compared with the log, to the øre.
///
/// Starts its own system with private servers. Exit status 0 if the books agree, 1 if they do not, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "payment-campaign", version)]
struct Cli {
    /// Decides what customers do and what goes wrong at the provider [default: random]
    #[arg(long, env = "SEED", value_name = "NUMBER")]
    seed: Option<u64>,
    /// Customers that come
    #[arg(long, env = "PURCHASES", default_value_t = 5_000, value_name = "COUNT")]
    purchases: usize,
    /// Customers at once
    #[arg(long, env = "AT_ONCE", default_value_t = 32, value_name = "COUNT")]
    at_once: usize,
    /// Seconds that everything may take to come to rest after the last customer
    #[arg(long, env = "REST_S", default_value_t = 600, value_name = "SECONDS")]
    rest_s: u64,
    /// File for the report in Markdown; a JSON file with the same content and name is written to the same directory
    /// [default: bench/results/payment-campaign-DAY-COMMIT-seedSEED.md]
    #[arg(long, env = "REPORT", value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    match conduct(&Cli::parse()) {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        Err(error) => {
            // The causes in one line.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn conduct(cli: &Cli) -> anyhow::Result<bool> {
    let seed = cli
        .seed
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000);
    say(&format!("seed {seed}"));
    let plan = Plan {
        seed,
        purchases: cli.purchases,
        at_once: cli.at_once.max(1),
        rest: Duration::from_secs(cli.rest_s),
        logs: Some(std::env::temp_dir().join(format!("payment-campaign-logs-{}", std::process::id()))),
    };
    let progress = Progress::console();
    stack::install::ensure(progress).await?;
    let report = run(&plan, progress).await?;
    let path = cli
        .report
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("bench/results/{}.md", report.name())));
    report.write(&path)?;
    say(&report.markdown());
    say(&format!("written to {}", path.display()));
    Ok(report.is_clean())
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
