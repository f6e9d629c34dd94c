//! A short fault campaign: faults of every class on the real stack, and then the books are right.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use system_tests::campaign::schedule::Schedule;

/// This seed has a fault of every class in its first rounds.
const SEED: u64 = 802;
const ROUNDS: usize = 7;

/// The classes of faults: process, network, stream, store, disk, provider. One kind of each must occur.
const CLASSES: [&[&str]; 6] = [
    &["kill"],
    &["pause"],
    &["network cut", "network stalled"],
    &["stream deleted", "stream purged", "stream replaced"],
    &["store wiped", "tail lost"],
    &[
        "webhooks lost",
        "webhooks forged",
        "provider down",
        "answers lost",
    ],
];

#[test]
fn a_short_campaign_with_faults_of_every_class_loses_and_doubles_nothing() {
    let planned: Vec<String> = Schedule::new(SEED)
        .take(ROUNDS)
        .flat_map(|round| round.faults)
        .map(|planned| planned.fault.to_string())
        .collect();
    let report = std::env::temp_dir().join(format!("campaign-{}.md", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_campaign"))
        .args(["--seed", &SEED.to_string(), "--rounds", &ROUNDS.to_string()])
        .args(["--minutes", "8", "--rate", "6", "--report"])
        .arg(&report)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let json = report.with_extension("json");
    let found: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap_or_default())
        .unwrap_or_else(|error| {
            panic!(
                "no report ({error}): {said}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
    for file in [&report, &json] {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(found["complaints"], Value::Array(Vec::new()), "{said}");
    assert!(output.status.success(), "{said}");

    // Every planned fault was injected, or reported as skipped.
    let faults = found["faults"].as_array().unwrap();
    let done: Vec<&str> = faults
        .iter()
        .map(|fault| fault["fault"].as_str().unwrap())
        .collect();
    assert_eq!(done, planned);
    let left_out = faults.iter().filter(|fault| fault["outcome"] != "done");
    for fault in left_out {
        assert_eq!(
            (&fault["outcome"], &fault["kind"]),
            (&"skipped".into(), &"disk full".into()),
            "{said}"
        );
    }
    let kinds: BTreeSet<&str> = faults
        .iter()
        .map(|fault| fault["kind"].as_str().unwrap())
        .collect();
    for class in CLASSES {
        assert!(
            class.iter().any(|kind| kinds.contains(kind)),
            "none of {class:?} in {kinds:?}"
        );
    }
    assert!(kinds.contains("disk full"), "{kinds:?}");
    let commands = &found["commands"];
    assert!(commands["acknowledged"].as_u64().unwrap() > 20, "{said}");
    assert_eq!(
        (&commands["lost"], &commands["doubled"]),
        (&0.into(), &0.into()),
        "{said}"
    );
}
