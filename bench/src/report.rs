//! What is kept of a benchmark: every run, the machine, the commit, and how the targets were met.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::measure::{Figure, Spread};

/// A benchmark's outcome.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Its file name's end.
    name: String,
    title: &'static str,
    figures: Vec<Figure>,
    targets: Vec<Target>,
    /// What else is worth saying.
    remarks: Vec<String>,
}

/// What was to be reached, and what was.
#[derive(Serialize)]
pub(crate) struct Target {
    what: String,
    /// `>=` or `<=`.
    bound: &'static str,
    wanted: f64,
    /// Missing when one of its figures was not taken.
    seen: Option<f64>,
}

impl Target {
    pub(crate) fn at_least(what: impl Into<String>, wanted: f64, seen: Option<f64>) -> Self {
        Self {
            what: what.into(),
            bound: ">=",
            wanted,
            seen,
        }
    }

    pub(crate) fn at_most(what: impl Into<String>, wanted: f64, seen: Option<f64>) -> Self {
        Self {
            what: what.into(),
            bound: "<=",
            wanted,
            seen,
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.bound, self.seen) {
            (_, None) => "not taken",
            (">=", Some(seen)) if seen >= self.wanted => "met",
            ("<=", Some(seen)) if seen <= self.wanted => "met",
            _ => "MISSED",
        }
    }
}

/// Where it ran.
#[derive(Serialize)]
struct Circumstances {
    date: String,
    commit: String,
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
}

impl Report {
    pub(crate) fn new(
        name: impl Into<String>,
        title: &'static str,
        figures: Vec<Figure>,
        targets: Vec<Target>,
    ) -> Self {
        Self {
            name: name.into(),
            title,
            figures,
            targets,
            remarks: Vec::new(),
        }
    }

    pub(crate) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// Writes `<date>-<commit>-<name>.md` and `.json` and gives the Markdown.
    pub(crate) fn write(&self, directory: &Path) -> anyhow::Result<(PathBuf, String)> {
        #[derive(Serialize)]
        struct Kept<'a> {
            circumstances: &'a Circumstances,
            #[serde(flatten)]
            report: &'a Report,
        }
        std::fs::create_dir_all(directory)?;
        let circumstances = Circumstances::here();
        let stem = format!("{}-{}-{}", circumstances.date, circumstances.commit, self.name);
        let kept = Kept {
            circumstances: &circumstances,
            report: self,
        };
        let json = serde_json::to_string_pretty(&kept)? + "\n";
        std::fs::write(directory.join(&stem).with_extension("json"), json)?;
        let markdown = self.markdown(&circumstances);
        let path = directory.join(&stem).with_extension("md");
        std::fs::write(&path, &markdown)?;
        Ok((path, markdown))
    }

    fn markdown(&self, circumstances: &Circumstances) -> String {
        let Circumstances {
            date,
            commit,
            cpu,
            cores,
            memory,
            kernel,
        } = circumstances;
        let mut text = format!(
            "# {}\n\n{date}, commit {commit}, {cores} cores ({cpu}), {memory}, Linux {kernel}. Medians of several runs, \
             (least–most). Rate limits of the programs are off.\n\n| who | what | per second | p50 ms | p99 ms | runs |\n|---|---|---:|---:|---:|---:|\n",
            self.title
        );
        for figure in &self.figures {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                figure.contender,
                figure.what,
                whole(figure.rate()),
                figure.p50().map_or_else(String::new, fine),
                figure.p99().map_or_else(String::new, fine),
                figure.runs.len()
            );
        }
        text.push_str("\n| target | wanted | seen | |\n|---|---:|---:|---|\n");
        for target in &self.targets {
            let seen = target.seen.map_or_else(String::new, |seen| format!("{seen:.2}"));
            let _ = writeln!(
                text,
                "| {} | {} {} | {seen} | {} |",
                target.what,
                target.bound,
                target.wanted,
                target.verdict()
            );
        }
        for remark in &self.remarks {
            let _ = write!(text, "\n{remark}\n");
        }
        text
    }
}

fn whole(spread: Spread) -> String {
    format!("{:.0} ({:.0}–{:.0})", spread.median, spread.least, spread.most)
}

fn fine(spread: Spread) -> String {
    let Spread { median, least, most } = spread;
    let digits = if median < 0.1 { 3 } else { 2 };
    format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
}

impl Circumstances {
    fn here() -> Self {
        let line_of = |file: &str, label: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(label));
            line.unwrap_or("unknown")
                .trim_start_matches([':', ' ', '\t'])
                .to_owned()
        };
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).output().ok()?;
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let changed =
            git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
        let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into());
        Self {
            date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
            commit: if changed { commit + "-changed" } else { commit },
            cpu: line_of("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: line_of("/proc/meminfo", "MemTotal:"),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, fine};
    use crate::measure::Spread;

    #[test]
    fn microseconds_are_still_told_apart() {
        assert_eq!(fine(Spread::of([0.041, 0.042, 0.047])), "0.042 (0.041–0.047)");
        assert_eq!(fine(Spread::of([1.234])), "1.23 (1.23–1.23)");
    }

    #[test]
    fn a_target_is_met_missed_or_not_taken() {
        assert_eq!(Target::at_least("", 8.0, Some(8.0)).verdict(), "met");
        assert_eq!(Target::at_least("", 8.0, Some(7.9)).verdict(), "MISSED");
        assert_eq!(Target::at_most("", 25.0, Some(25.1)).verdict(), "MISSED");
        assert_eq!(Target::at_most("", 25.0, Some(3.0)).verdict(), "met");
        assert_eq!(Target::at_most("", 25.0, None).verdict(), "not taken");
    }
}
