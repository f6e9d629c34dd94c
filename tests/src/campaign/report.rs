//! The report of a campaign, in Markdown and in JSON.

mod markdown;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use stack::Process;

use super::Plan;

/// Everything about one campaign.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The seed, which repeats the faults.
    pub seed: u64,
    /// The commit of the programs.
    pub commit: String,
    /// The start.
    pub began: DateTime<Utc>,
    /// The machine.
    pub machine: Machine,
    /// Customers a second.
    pub rate: f64,
    /// Seconds from the start of the servers to the end of the audit.
    pub seconds: f64,
    /// Each fault.
    pub faults: Vec<FaultReport>,
    /// The recovery after each round.
    pub recoveries: Vec<RecoveryReport>,
    /// The outcomes of all commands.
    pub commands: Commands,
    /// From the first try to the acknowledgement, in milliseconds.
    pub acknowledged_ms: Spread,
    /// Events in the log at the end.
    pub events: usize,
    /// What `projector verify --json` said.
    pub verify: Value,
    /// What `command-api log verify --json` said.
    pub seals: Value,
    /// Everything that is wrong.
    pub complaints: Vec<String>,
}

/// The machine and the build.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Cores that may be used.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Debug or release.
    pub build: &'static str,
}

/// One fault.
#[derive(Debug, Serialize)]
pub struct FaultReport {
    /// Its round, from 1.
    pub round: usize,
    /// Its kind.
    pub kind: &'static str,
    /// The fault and its place.
    pub fault: String,
    /// When it was due, from the start of its round.
    pub after_ms: u64,
    /// How long it lasted.
    pub lasts_ms: u64,
    /// The server that had no space left.
    #[serde(skip)]
    pub(super) full_disk_of: Option<Process>,
    /// `done`, `skipped` or `failed`.
    pub outcome: &'static str,
    /// What proves the injection, or why it failed.
    pub seen: String,
}

/// The recovery after a round.
#[derive(Debug, Serialize)]
pub struct RecoveryReport {
    /// The round, from 1.
    pub round: usize,
    /// The kinds of its faults.
    pub kinds: Vec<&'static str>,
    /// From the end of its last fault until a fresh purchase was readable as fulfilled, if ever.
    pub took_ms: Option<f64>,
}

/// The outcomes of all commands, one order each.
#[derive(Debug, Default, Serialize)]
pub struct Commands {
    /// Customers who came.
    pub offered: usize,
    /// Of these, turned away by the generator because too many were waiting.
    pub shed: usize,
    /// Acknowledged to a customer who waited.
    pub acknowledged: usize,
    /// Refused for good, which should not happen.
    pub refused: usize,
    /// No answer, and the customer gave up.
    pub unknown: usize,
    /// Of these, in the log.
    pub unknown_in_log: usize,
    /// Tried again at the end, with the same key, and acknowledged.
    pub retried: usize,
    /// Given up for good: never paid.
    pub abandoned: usize,
    /// Of these, in the log, waiting for their payment or expired.
    pub abandoned_in_log: usize,
    /// Seen as fulfilled by their customers.
    pub read_back: usize,
    /// Acknowledged and not in the log.
    pub lost: usize,
    /// In the log more than once.
    pub doubled: usize,
}

/// The distribution of a measurement.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// The number of measurements.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        // The nearest rank, so that each percentile is a measured value.
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            values.get(rank - 1).copied().unwrap_or_default()
        };
        Self {
            count: values.len(),
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl Machine {
    /// This machine and build.
    pub fn here() -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.trim().to_owned(),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        }
    }
}

/// In milliseconds, to a tenth.
pub(super) fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Report {
    pub(super) fn new(plan: &Plan, machine: Machine, began: DateTime<Utc>) -> Self {
        Self {
            seed: plan.seed,
            commit: commit(),
            began,
            machine,
            rate: plan.rate,
            seconds: 0.0,
            faults: Vec::new(),
            recoveries: Vec::new(),
            commands: Commands::default(),
            acknowledged_ms: Spread::default(),
            events: 0,
            verify: Value::Null,
            seals: Value::Null,
            complaints: Vec::new(),
        }
    }

    pub(super) fn acknowledged_after(&mut self, took: &[Duration]) {
        self.acknowledged_ms = Spread::of(took.iter().copied().map(milliseconds).collect());
    }

    /// Whether there is no complaint.
    pub fn is_clean(&self) -> bool {
        self.complaints.is_empty()
    }

    /// `campaign-<day>-<commit>-seed<seed>`: the name of its files.
    pub fn name(&self) -> String {
        let day = self.began.format("%Y-%m-%d");
        format!("campaign-{day}-{}-seed{}", self.commit, self.seed)
    }

    /// How long recoveries took: all of them, and those after each kind of fault.
    pub fn recovery(&self) -> BTreeMap<&'static str, Spread> {
        let mut by_kind: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for RecoveryReport { kinds, took_ms, .. } in &self.recoveries {
            let Some(took) = *took_ms else { continue };
            by_kind.entry("all").or_default().push(took);
            for kind in kinds {
                by_kind.entry(kind).or_default().push(took);
            }
        }
        let spreads = by_kind.into_iter();
        spreads.map(|(kind, took)| (kind, Spread::of(took))).collect()
    }

    /// Writes the Markdown, and the JSON to the same directory.
    pub fn write(&self, markdown: &Path) -> anyhow::Result<()> {
        if let Some(dir) = markdown.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let mut json = serde_json::to_value(self)?;
        json["clean"] = self.is_clean().into();
        json["recovery_ms"] = serde_json::to_value(self.recovery())?;
        let text = serde_json::to_string_pretty(&json)? + "\n";
        for (path, text) in [
            (markdown.to_owned(), self.markdown()),
            (markdown.with_extension("json"), text),
        ] {
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The checkout's commit, marked if there are uncommitted changes.
pub(crate) fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".into();
    };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if changed { commit + "+" } else { commit }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let spread = Spread::of((1..=200).rev().map(f64::from).collect());
        assert_eq!(
            (spread.count, spread.p50, spread.p99, spread.max),
            (200, 100.0, 198.0, 200.0)
        );
        let one = Spread::of(vec![7.0]);
        assert_eq!((one.p50, one.p99, one.max), (7.0, 7.0, 7.0));
        assert_eq!(Spread::of(Vec::new()).count, 0);
    }
}
