//! The edges of the layout: direct dependencies between our own crates.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Package};

use crate::packages;

/// The crates of our own that each crate may use.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "command-api",
        &[
            "documents",
            "domain",
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "payments",
            "policy",
            "service",
            "vocabulary",
        ],
    ),
    (
        "projector",
        &[
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "projection",
            "read-model",
            "service",
        ],
    ),
    (
        "query-api",
        &["documents", "policy", "query", "read-model", "service"],
    ),
    ("front-door", &["service"]),
    ("connect", &[]),
    ("documents", &[]),
    ("envelope", &[]),
    ("events", &["envelope", "vocabulary"]),
    ("vocabulary", &[]),
    ("text", &[]),
    ("domain", &["envelope", "events", "text", "vocabulary"]),
    ("event-store", &["connect", "envelope"]),
    ("event-bus", &["envelope"]),
    (
        "projection",
        &["connect", "envelope", "event-bus", "event-store", "service"],
    ),
    ("query", &["connect", "service", "text"]),
    ("read-model", &["connect", "query", "vocabulary"]),
    ("payments", &["secret"]),
    ("policy", &["service"]),
    ("secret", &[]),
    ("service", &["connect", "secret"]),
    (
        "seed",
        &[
            "command-api",
            "domain",
            "envelope",
            "event-store",
            "events",
            "service",
            "stack",
            "vocabulary",
        ],
    ),
    ("stack", &["connect", "secret"]),
    ("suite-adapter", &["event-store"]),
    ("system-tests", &["connect", "envelope", "event-bus", "stack"]),
    (
        "bench",
        &[
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "projection",
            "projector",
            "query",
            "read-model",
            "service",
            "stack",
        ],
    ),
];

/// Benchmarks, made-up history and tests of the whole system. They may use the programs' libraries.
const OF_THE_WHOLE: &[&str] = &["bench", "seed", "system-tests"];

/// Programs. Only these depend on them.
const PROGRAMS: &[&str] = &["command-api", "front-door", "projector", "query-api"];

/// Test equipment. No program is built from it.
const EQUIPMENT: &[&str] = &["bench", "seed", "stack", "suite-adapter", "system-tests"];

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

fn uses<'a>(package: &Package, ours: &BTreeSet<&'a str>, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    let of_kind = package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind));
    of_kind
        .filter_map(|dependency| ours.get(dependency.name.as_str()).copied())
        .collect()
}
