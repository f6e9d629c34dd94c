//! The rule of all command lines: 0 done, 1 something was found, 2 not done. The report is all that goes to standard output,
//! and with `--json` it is JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Output, run_apart};

/// Nothing listens there.
const NOWHERE: &str = "postgres://user:x@127.0.0.1:9/nothing?connect_timeout=1";

/// Programs whose commands answer questions or change something. Their servers are asked for help only.
const PROGRAMS: [&str; 4] = ["command-api", "front-door", "projector", "query-api"];

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

/// Every command without commands of its own, with its help text.
async fn leaves(program: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let help = asked(program, &path, &["--help"], &BTreeMap::new()).await;
        assert_eq!(help.code, Some(0), "{program} {path:?} --help: {help:?}");
        let below = commands(&help.stdout);
        if below.is_empty() && !path.is_empty() {
            found.push((path, help.stdout));
            continue;
        }
        open.extend(below.into_iter().map(|name| [&path[..], &[name]].concat()));
    }
    found
}

async fn asked(program: &str, path: &[String], more: &[&str], variables: &BTreeMap<&str, String>) -> Output {
    let path = path.iter().map(String::as_str);
    let arguments: Vec<&str> = path.chain(more.iter().copied()).collect();
    run_apart(program, &arguments, variables).await
}

#[tokio::test]
async fn a_wrong_flag_is_answered_with_2_and_nothing_on_standard_output() {
    for program in PROGRAMS {
        for (path, _) in leaves(program).await {
            let ended = asked(program, &path, &["--no-such-flag"], &BTreeMap::new()).await;
            assert_eq!(ended.code, Some(2), "{program} {path:?}: {ended:?}");
            assert!(
                ended.stdout.is_empty() && !ended.stderr.is_empty(),
                "{program} {path:?}: {ended:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_can_not_be_done_is_answered_with_2_and_json_stays_json() {
    let variables = BTreeMap::from([
        ("EVENTS_DATABASE_URL", NOWHERE.to_owned()),
        ("READ_DATABASE_URL", NOWHERE.to_owned()),
        ("DATABASE_URL", NOWHERE.to_owned()),
        ("NATS_URL", "nats://127.0.0.1:9".to_owned()),
    ]);
    let mut tried = 0;
    for program in PROGRAMS {
        for (path, help) in leaves(program).await {
            if !help.contains("--json") {
                continue;
            }
            let ended = asked(program, &path, &["--json"], &variables).await;
            assert_eq!(ended.code, Some(2), "{program} {path:?}: {ended:?}");
            let report = ended.stdout.trim();
            assert!(
                report.is_empty() || serde_json::from_str::<Value>(report).is_ok(),
                "{program} {path:?}: {report}"
            );
            tried += 1;
        }
    }
    assert!(tried >= 4, "{tried} commands have --json");
}

#[tokio::test]
async fn a_command_that_answers_a_question_says_what_its_exit_status_means() {
    for program in PROGRAMS {
        for (path, help) in leaves(program).await {
            if help.contains("--json") {
                assert!(
                    help.contains("exit status") || path.last().is_some_and(|name| name == "list"),
                    "{program} {path:?}: {help}"
                );
            }
        }
    }
}
