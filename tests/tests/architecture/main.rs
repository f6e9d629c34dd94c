//! What `docs/ARCHITECTURE.md` says about the shape of the code, held against the code: which crate may know which,
//! what is reached by way of others, and what every file looks like.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

mod cycles;
mod edges;
mod engine;
mod files;
mod licenses;
mod reach;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// What `cargo tree` prints for these packages, one `format`ted package a line: what is really built, unlike
/// `cargo metadata`, which lists optional dependencies that no feature turns on.
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

/// The names of everything that a package is built from, itself included.
fn built_from(package: &str) -> Vec<String> {
    let names = tree(&["--package", package, "--edges", "normal,build"], "{p}");
    names
        .iter()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}
