//! The engine knows nothing of the shop: neither by a dependency nor by a word.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{files, read, root};

/// Words of the shop, in lower case. A word counts wherever it stands, within another one too.
const SHOP: &[&str] = &[
    "licens",
    "club",
    "vehicle",
    "shop",
    "customer",
    "purchase",
    "holder",
    "vipps",
    "bilsport",
    "guardian",
    "orderplaced",
    "orderpaid",
    "order_id",
    "\"order\"",
    "'order'",
];

/// Where a word of that list may stand, and why.
const EXEMPT: &[(&str, &str, &str)] = &[
    (
        "holder",
        ".sql",
        "the columns `holder` of claims and leases: published migrations made them",
    ),
    (
        "holder",
        "event-store/src/claims.rs",
        "the JSON that the database's function writes",
    ),
    (
        "holder",
        "event-store/tests/log/support.rs",
        "the column, in a statement",
    ),
    (
        "vipps",
        "event-store/schema.sql",
        "generated: the comments of published migrations",
    ),
    (
        "bilsport",
        "metrics.rs",
        "names of metrics, which dashboards and alerts use",
    ),
    ("licens", "Cargo.toml", "the license of the crate itself"),
];

/// What a crate of the engine may use besides crates of the engine.
const OUTSIDE: &[&str] = &["service"];
/// What its tests may use too.
const TESTS: &[&str] = &["service", "stack"];

#[test]
fn no_crate_of_the_engine_depends_on_anything_outside_it() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata");
    let is_engine = |manifest: &Path| manifest.starts_with(engine());
    let ours: Vec<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let engine: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| is_engine(package.manifest_path.as_std_path()))
        .collect();
    assert!(engine.len() >= 5, "found only {} crates", engine.len());
    for package in &engine {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let allowed = if dependency.kind == DependencyKind::Development {
                TESTS
            } else {
                OUTSIDE
            };
            assert!(
                !ours.contains(&name)
                    || allowed.contains(&name)
                    || engine.iter().any(|other| other.name.as_str() == name),
                "{} must not use {name}",
                package.name
            );
        }
    }
}

#[test]
fn no_file_of_the_engine_holds_a_word_of_the_shop() {
    let mut found = Vec::new();
    let mut checked = 0;
    for path in ["rs", "md", "sql", "toml", "json"]
        .into_iter()
        .flat_map(files)
        .filter(|path| path.starts_with(engine()))
    {
        // Published migrations never change.
        let is_migration = path.parent().is_some_and(|dir| dir.ends_with("migrations"));
        if is_migration {
            continue;
        }
        checked += 1;
        let name = path.to_string_lossy().into_owned();
        for (number, line) in (1..).zip(read(&path).lines()) {
            let lower = line.to_lowercase();
            found.extend(
                SHOP.iter()
                    .filter(|word| lower.contains(**word) && !is_exempt(&name, word))
                    .map(|word| format!("{name}:{number} says {word:?}")),
            );
        }
    }
    assert!(checked > 100, "found only {checked} files");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn is_exempt(path: &str, word: &str) -> bool {
    EXEMPT
        .iter()
        .any(|(exempt, place, _)| *exempt == word && path.ends_with(place))
}

fn engine() -> std::path::PathBuf {
    root().join("crates/engine")
}
