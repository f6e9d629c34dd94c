//! The alerts: their names exist in the code, and each has cases that promtool runs.

use std::path::PathBuf;
use std::process::Command;

use crate::names::{declared, is_ours};
use crate::root;

/// The YAML files of a directory below `grafana`.
fn files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("grafana").join(directory)).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect()
}

/// What follows `key: ` in each line that has it.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        line.trim()
            .trim_start_matches("- ")
            .strip_prefix(key)?
            .strip_prefix(": ")
    })
}

#[test]
fn every_metric_of_an_alert_exists_and_every_alert_has_a_case() {
    let names = declared();
    let cases: Vec<String> = files("rules/tests")
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("cases"))
        .collect();
    let mut checked = 0;
    for path in files("rules") {
        let text = std::fs::read_to_string(&path).expect("rules");
        for expr in values(&text, "expr") {
            let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter(|word| is_ours(word)) {
                // A histogram is scraped as several series.
                let of = ["_count", "_sum", "_bucket"]
                    .iter()
                    .find_map(|part| name.strip_suffix(part));
                let known = names.contains(of.unwrap_or(name)) || names.contains(name);
                assert!(known, "{name} of {} is nowhere", path.display());
                checked += 1;
            }
        }
        for alert in values(&text, "alert") {
            let tried = cases
                .iter()
                .any(|case| values(case, "alertname").any(|name| name == alert));
            assert!(tried, "{alert} has no case");
        }
    }
    assert!(checked > 2, "found only {checked}");
}

#[test]
fn promtool_finds_the_rules_sound_and_their_cases_true() {
    for (verb, directory) in [("check", "rules"), ("test", "rules/tests")] {
        let output = match Command::new("promtool")
            .args([verb, "rules"])
            .args(files(directory))
            .output()
        {
            // Debian's package prometheus has it; without it only the names are compared.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            output => output.expect("promtool runs"),
        };
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        );
    }
}
