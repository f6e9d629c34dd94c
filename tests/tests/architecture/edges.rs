//! The arrows of the layout: direct dependencies between our own crates.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::root;

/// What each crate may use of our own. `envelope` is what travels, so whoever handles events may name it.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "command-api",
        &[
            "domain",
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "payments",
            "service",
        ],
    ),
    (
        "projector",
        &[
            "connect",
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "read-model",
            "service",
        ],
    ),
    ("query-api", &["query", "read-model", "service"]),
    ("connect", &[]),
    ("envelope", &[]),
    ("events", &["envelope", "vocabulary"]),
    ("vocabulary", &[]),
    ("text", &[]),
    ("domain", &["envelope", "events", "text"]),
    ("event-store", &["connect", "envelope"]),
    ("event-bus", &["envelope"]),
    ("query", &["connect", "service", "text"]),
    ("read-model", &["connect", "query", "vocabulary"]),
    ("payments", &["secret"]),
    ("secret", &[]),
    ("service", &["connect", "secret"]),
    ("stack", &["connect", "secret"]),
    ("system-tests", &["connect", "envelope", "event-bus", "stack"]),
    (
        "bench",
        &[
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "projector",
            "read-model",
            "service",
            "stack",
        ],
    ),
];

/// Measures and tests of the whole system, which may look inside the programs.
const OF_THE_WHOLE: &[&str] = &["bench", "system-tests"];

/// Programs: nobody builds on them, and only what is of the whole system may look inside.
const PROGRAMS: &[&str] = &["command-api", "projector", "query-api"];

/// Test equipment: no program may need it to run.
const EQUIPMENT: &[&str] = &["bench", "stack", "system-tests"];

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(
        names,
        allowed.keys().copied().collect(),
        "a crate came or went: say what it may use, in docs/ARCHITECTURE.md and here"
    );
    for package in &packages {
        let uses = uses(package, &names, &[DependencyKind::Normal, DependencyKind::Build]);
        let too_many: Vec<&&str> = uses.difference(&allowed[package.name.as_str()]).collect();
        assert!(too_many.is_empty(), "{} must not use {too_many:?}", package.name);
    }
}

#[test]
fn nothing_builds_on_programs_or_test_equipment() {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages
        .iter()
        .filter(|package| !OF_THE_WHOLE.contains(&package.name.as_str()))
    {
        let built_on = uses(package, &names, &[DependencyKind::Normal, DependencyKind::Build]);
        let tested_with = uses(package, &names, &[DependencyKind::Development]);
        for program in PROGRAMS {
            assert!(
                !built_on.contains(program),
                "{} is built on the program {program}",
                package.name
            );
            assert!(
                !tested_with.contains(program),
                "{} is tested with the program {program}",
                package.name
            );
        }
        for equipment in EQUIPMENT {
            assert!(
                !built_on.contains(equipment),
                "{} is built on {equipment}",
                package.name
            );
        }
    }
}

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

fn uses<'a>(package: &Package, ours: &BTreeSet<&'a str>, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    let of_kind = package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind));
    of_kind
        .filter_map(|dependency| ours.get(dependency.name.as_str()).copied())
        .collect()
}
