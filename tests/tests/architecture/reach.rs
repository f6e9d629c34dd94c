//! What a crate must not depend on, directly or through other crates.

use crate::{built_from, tree};

/// Crates that do I/O.
const IO: &[&str] = &[
    "async-nats",
    "axum",
    "deadpool-postgres",
    "hyper",
    "redis",
    "reqwest",
    "rustls",
    "tokio-postgres",
];
/// Crypto other than aws-lc-rs, TLS other than rustls.
const SECOND_CRYPTO: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring", "rsa"];

#[track_caller]
fn assert_reaches_none(package: &str, forbidden: &[&str]) {
    let reached = built_from(package);
    assert!(reached.len() > 1, "{package}: {reached:?}");
    let found: Vec<&&str> = forbidden
        .iter()
        .filter(|name| reached.iter().any(|other| other == **name))
        .collect();
    assert!(
        found.is_empty(),
        "{package} reaches {found:?}: see `cargo tree -p {package} -i …`"
    );
}

#[test]
fn rules_know_no_input_or_output() {
    // cqrs-es depends on tokio for its test harness, so tokio is not in the list; the drivers are.
    for package in ["envelope", "events", "domain"] {
        assert_reaches_none(package, IO);
    }
}

#[test]
fn the_read_side_cannot_see_events_and_the_projector_cannot_decide() {
    assert_reaches_none(
        "query-api",
        &[
            "async-nats",
            "cqrs-es",
            "domain",
            "envelope",
            "event-bus",
            "event-store",
            "events",
            "payments",
        ],
    );
    assert_reaches_none("projector", &["domain", "payments", "query-api"]);
    assert_reaches_none("command-api", &["query-api", "read-model"]);
    assert_reaches_none(
        "front-door",
        &["domain", "events", "policy", "query", "read-model"],
    );
}

#[test]
fn log_and_bus_know_nothing_of_licenses() {
    for package in ["event-bus", "event-store"] {
        assert_reaches_none(
            package,
            &["domain", "events", "payments", "read-model", "service"],
        );
    }
    let log = ["cqrs-es", "envelope", "event-bus", "event-store"];
    let shop = ["domain", "events", "payments", "read-model", "vocabulary"];
    assert_reaches_none("query", &[&log[..], &shop[..]].concat());
    assert_reaches_none("projection", &shop);
    assert_reaches_none("payments", &["async-nats", "deadpool-postgres", "tokio-postgres"]);
}

#[test]
fn there_is_one_crypto_provider() {
    let everything = tree(&["--workspace", "--edges", "normal,build,dev"], "{p}");
    assert!(
        everything.iter().any(|line| line.starts_with("aws-lc-rs ")),
        "{everything:?}"
    );
    let names = everything
        .iter()
        .filter_map(|line| line.split_whitespace().next());
    let found: Vec<&str> = names.filter(|name| SECOND_CRYPTO.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}: see `cargo tree -i …`");
}
