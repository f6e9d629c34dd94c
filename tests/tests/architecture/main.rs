//! Holds `docs/ARCHITECTURE.md` against the code: the edges between crates, what each crate reaches through others,
//! and the form of every file, its prose included.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

mod cycles;
mod dependencies;
mod edges;
mod engine;
mod files;
mod licenses;
mod links;
mod prose;
mod reach;
mod style;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{MetadataCommand, Package};
use system_tests::sources::{files, read, root};

/// Our own packages.
fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata");
    metadata.packages
}

/// The path below the checkout, for messages.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with all findings, one a line, and their number for each area of the tree.
#[track_caller]
fn assert_none(what: &str, findings: &[String]) {
    let mut areas = BTreeMap::<String, usize>::new();
    for finding in findings {
        let path = finding.split(':').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let depth = if parts.first() == Some(&"crates") { 3 } else { 1 };
        *areas
            .entry(parts[..depth.min(parts.len())].join("/"))
            .or_default() += 1;
    }
    assert!(
        findings.is_empty(),
        "{} {what}: {areas:#?}\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// The packages that `cargo tree` prints, one `format`ted line each. `cargo tree` lists what is built; `cargo metadata`
/// also lists optional dependencies that no feature turns on.
fn tree(arguments: &[&str], format: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--prefix",
            "none",
            "--no-dedupe",
            "--format",
            format,
        ])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The names of all packages that a package is built from, itself included.
fn built_from(package: &str) -> Vec<String> {
    let names = tree(&["--package", package, "--edges", "normal,build"], "{p}");
    names
        .iter()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}
