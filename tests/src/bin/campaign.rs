//! `campaign`, the program behind `make campaign`.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use stack::Progress;
use system_tests::campaign::fault::KINDS;
use system_tests::campaign::schedule::Schedule;
use system_tests::campaign::{Plan, run};

/// Customers buy while processes are killed, connections cut, streams wiped and disks filled; then the books are audited.
///
/// Starts its own system with private servers. Exit status 0 if nothing was lost and nothing doubled, 1 if the books are
/// wrong, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(name = "campaign", version)]
struct Cli {
    /// Decides the faults, their places and their durations; the same seed gives the same faults [default: random]
    #[arg(long, env = "SEED", value_name = "NUMBER")]
    seed: Option<u64>,
    /// Minutes of faults; then the round under way is finished and the books are audited
    #[arg(long, env = "MINUTES", default_value_t = 5.0, value_name = "MINUTES")]
    minutes: f64,
    /// Rounds of faults after which the campaign ends, if its time is not over before
    #[arg(long, env = "ROUNDS", default_value_t = usize::MAX, hide_default_value = true, value_name = "COUNT")]
    rounds: usize,
    /// New customers a second, even if earlier ones still wait
    #[arg(long, env = "RATE", default_value_t = 10.0, value_name = "NUMBER")]
    rate: f64,
    /// File for the report in Markdown; a JSON file with the same content and name is written to the same directory
    /// [default: bench/results/campaign-DAY-COMMIT-seedSEED.md]
    #[arg(long, env = "REPORT", value_name = "FILE")]
    report: Option<PathBuf>,
    /// List all kinds of faults, and exit
    #[arg(long, env = "LIST_FAULTS")]
    list_faults: bool,
    /// Print the faults of this seed, 20 rounds unless --rounds is given, and exit
    #[arg(long, env = "SHOW_PLAN")]
    show_plan: bool,
    /// Set when this process runs in its own mount namespace, which holds the small disks.
    #[arg(long, hide = true)]
    own_mounts: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list_faults {
        for (kind, what) in KINDS {
            say(&format!("{kind:<16} {what}"));
        }
        return ExitCode::SUCCESS;
    }
    let seed = cli.seed.unwrap_or_else(random);
    if !cli.own_mounts {
        say(&format!("seed {seed}"));
    }
    if cli.show_plan {
        show_plan(seed, if cli.rounds == usize::MAX { 20 } else { cli.rounds });
        return ExitCode::SUCCESS;
    }
    if !cli.own_mounts {
        isolate(seed);
    }
    match conduct(&cli, seed) {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        Err(error) => {
            // The causes in one line.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn conduct(cli: &Cli, seed: u64) -> anyhow::Result<bool> {
    let lasts = Duration::try_from_secs_f64(cli.minutes * 60.0)?;
    anyhow::ensure!(
        cli.rate > 0.0 && cli.rate <= 1_000.0,
        "--rate must be above 0 and at most 1000"
    );
    let plan = Plan {
        seed,
        lasts,
        rounds: cli.rounds,
        rate: cli.rate,
        logs: Some(std::env::temp_dir().join(format!("campaign-logs-{}", std::process::id()))),
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

/// Executes this program again in its own mount namespace, whose end unmounts the small disks. Where that is not possible
/// the campaign runs without one and fills no disks.
fn isolate(seed: u64) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    // Tried first: after `exec` a failure could not be handled any more.
    let works = Command::new("unshare").args(["--mount", "true"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        let error = command
            .arg(program)
            .args(std::env::args_os().skip(1))
            .arg("--own-mounts")
            .env("SEED", seed.to_string())
            .exec();
        say(&format!("unshare can't be run: {error}"));
    }
}

fn show_plan(seed: u64, rounds: usize) {
    for (number, round) in (1..=rounds).zip(Schedule::new(seed)) {
        for planned in round.faults {
            say(&format!(
                "{number:>4}  {:<52} after {:>4} ms, for {:>4} ms",
                planned.fault.to_string(),
                planned.after.as_millis(),
                planned.lasts.as_millis()
            ));
        }
    }
}

/// A random seed.
fn random() -> u64 {
    let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    // Short enough to be typed.
    seed % 1_000_000
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
