//! `campaign`: what `make campaign` runs.

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
/// Starts a system of its own, private servers included. Exit status 0 if nothing was lost and nothing doubled, 1 if the
/// books are wrong, 2 if it could not be run.
#[derive(Debug, Parser)]
#[command(name = "campaign", version)]
struct Cli {
    /// Decides what goes wrong, where, and for how long; the same seed gives the same faults [default: random]
    #[arg(long, env = "SEED", value_name = "NUMBER")]
    seed: Option<u64>,
    /// How long faults go on; what is under way then is finished, and the books are audited
    #[arg(long, env = "MINUTES", default_value_t = 5.0, value_name = "MINUTES")]
    minutes: f64,
    /// Rounds of faults after which it ends, if the time is not over before
    #[arg(long, env = "ROUNDS", default_value_t = usize::MAX, hide_default_value = true, value_name = "COUNT")]
    rounds: usize,
    /// Customers a second, however long each has to wait
    #[arg(long, env = "RATE", default_value_t = 10.0, value_name = "NUMBER")]
    rate: f64,
    /// File for the report, in Markdown; the same as JSON goes beside it
    /// [default: bench/results/campaign-DAY-COMMIT-seedSEED.md]
    #[arg(long, env = "REPORT", value_name = "FILE")]
    report: Option<PathBuf>,
    /// Say what can go wrong, and do nothing
    #[arg(long, env = "LIST_FAULTS")]
    list_faults: bool,
    /// Say what would go wrong with this seed, 20 rounds if their number is not given, and do nothing
    #[arg(long, env = "SHOW_PLAN")]
    show_plan: bool,
    /// Set when it runs in a mount namespace of its own, where the disks to be filled are.
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

/// Goes on in a mount namespace of its own, which takes the disks with it however this ends. Where that is not possible
/// it goes on without, and disks are not filled.
fn isolate(seed: u64) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    // Tried first: what is executed in place of this program can't be told that it failed.
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

/// From the system's own source of random keys.
fn random() -> u64 {
    let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    // Short enough to be typed.
    seed % 1_000_000
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
