//! pgbench, Postgres's own load generator: a statement from a file, by a number of clients.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::account::payload;
use crate::contender::Contender;
use crate::measure::Run;
use crate::server::libpq;

/// A script and how to run it.
#[derive(Clone)]
pub(crate) struct Script {
    file: PathBuf,
    url: String,
    /// How many operations one transaction of it is.
    per_transaction: u32,
}

impl Script {
    /// Writes the script into `directory`; `:payload` in it becomes the event's payload, quoted.
    pub(crate) fn write(
        directory: &Path,
        name: &str,
        text: &str,
        url: &str,
        per_transaction: u32,
    ) -> anyhow::Result<Self> {
        let file = directory.join(name).with_extension("pgbench.sql");
        // A colon before a letter would be a variable to pgbench.
        let payload = payload(0)?.replace('\'', "''").replace(':', ": ");
        std::fs::write(&file, text.replace(":payload", &format!("'{payload}'")))?;
        Ok(Self {
            file,
            url: url.to_owned(),
            per_transaction,
        })
    }

    /// A figure of it.
    pub(crate) fn contender(self, name: &str, what: String, clients: u32, length: Duration) -> Contender {
        Contender::new(name, what, move || {
            let script = self.clone();
            async move { script.run(clients, length).await }
        })
    }

    /// Runs it.
    pub(crate) async fn run(&self, clients: u32, length: Duration) -> anyhow::Result<Run> {
        let output = Command::new(program()?)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", length.as_secs().max(1)))
            .arg("--file")
            .arg(&self.file)
            .envs(libpq(&self.url)?)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run pgbench")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || text.contains("aborted") {
            bail!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let transactions = number_after(&text, "tps = ").with_context(|| format!("no rate in: {text}"))?;
        Ok(Run {
            per_second: transactions * f64::from(self.per_transaction),
            p50_ms: number_after(&text, "latency average = "),
            p99_ms: None,
        })
    }
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    text.split_once(label)?.1.split([' ', '\n']).next()?.parse().ok()
}

/// In the path, or where Debian keeps the newest version.
fn program() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    found.sort();
    std::env::split_paths(&path)
        .chain(found.into_iter().rev())
        .map(|directory| directory.join("pgbench"))
        .find(|program| program.is_file())
        .context("pgbench is not installed (Debian: the package postgresql-15)")
}

#[cfg(test)]
mod tests {
    use super::number_after;

    #[test]
    fn the_numbers_are_read_from_what_pgbench_prints() {
        let text = "latency average = 0.193 ms\ninitial connection time = 4 ms\ntps = 5181.35 (without initial connection time)\n";
        assert_eq!(number_after(text, "tps = "), Some(5181.35));
        assert_eq!(number_after(text, "latency average = "), Some(0.193));
        assert_eq!(number_after(text, "latency stddev = "), None);
    }
}
