//! `--help` of every program lists every flag with its variable, and every command.

use std::collections::BTreeMap;

use crate::run;

/// Every program and subcommand that a person may run; one below another after a space.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "command-api",
        &[
            "serve",
            "migrate",
            "log",
            "log verify",
            "log prove",
            "log check-proof",
            "log keygen",
            "log public-key",
            "log new-epoch",
            "keys",
            "keys new",
            "keys rotate",
            "keys status",
            "erasures",
            "erasures apply",
            "erasures list",
            "reconcile",
            "batch",
            "batch submit",
            "batch status",
            "payments",
            "payments uncollected",
        ],
    ),
    (
        "projector",
        &[
            "serve",
            "migrate",
            "status",
            "verify",
            "rebuild",
            "parked",
            "parked list",
            "parked retry",
        ],
    ),
    (
        "query-api",
        &[
            "serve",
            "license-keys",
            "license-keys new",
            "license-keys rotate",
            "license-keys list",
        ],
    ),
    ("front-door", &["serve"]),
    ("payment-emulator", &["serve", "faults", "books"]),
    (
        "stack",
        &[
            "install",
            "up",
            "token",
            "clean-data",
            "mail",
            "offline",
            "test-servers",
        ],
    ),
    ("campaign", &[]),
    ("seed", &[]),
];

async fn help(program: &str, arguments: &[&str]) -> String {
    let ended = run(program, &[arguments, &["--help"]].concat(), &BTreeMap::new()).await;
    ended.well();
    ended.output
}

/// The flags of a help text, each with its description.
fn flags(help: &str) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let begin = line.trim_start();
        let begin = begin
            .split_once(", ")
            .filter(|(short, _)| short.len() == 2)
            .map_or(begin, |(_, long)| long);
        if let Some(flag) = begin.strip_prefix("--") {
            let (name, rest) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            flags.push((format!("--{name}"), rest.trim().to_owned()));
        } else if let Some((_, said)) = flags.last_mut() {
            said.push('\n');
            said.push_str(line.trim());
        }
    }
    flags.retain(|(name, _)| name != "--help" && name != "--version");
    flags
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        // A description may continue on the next line, further to the right.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[tokio::test]
async fn every_flag_of_every_server_says_what_it_is_and_which_variable_it_is() {
    for (program, subcommands) in COMMANDS.iter().filter(|(program, _)| *program != "stack") {
        let mut pages = BTreeMap::from([("", help(program, &[]).await)]);
        for subcommand in *subcommands {
            let (parent, name) = subcommand.rsplit_once(' ').unwrap_or(("", subcommand));
            assert!(
                commands(&pages[parent]).contains(&name),
                "{program} does not say that it can {subcommand}"
            );
            let words: Vec<&str> = subcommand.split(' ').collect();
            pages.insert(subcommand, help(program, &words).await);
        }
        for (path, page) in &pages {
            for name in commands(page) {
                let subcommand = format!("{path} {name}");
                assert!(
                    pages.contains_key(subcommand.trim_start()),
                    "no case for {program} {subcommand}"
                );
            }
        }
        let flags: Vec<(String, String)> = pages.values().flat_map(|page| flags(page)).collect();
        assert!(flags.len() > 2, "{program}: {flags:?}");
        for (flag, said) in flags {
            assert!(
                said.contains("[env: "),
                "{program} {flag} names no variable: {said}"
            );
            let words = said.split("[env: ").next().unwrap_or_default();
            assert!(
                words.split_whitespace().count() > 2,
                "{program} {flag} says nothing of itself: {said}"
            );
            let secret = ["SECRET", "PASSWORD", "_KEY", "DATABASE_URL", "NATS_URL"];
            let name = said
                .split("[env: ")
                .nth(1)
                .and_then(|rest| rest.split(']').next())
                .unwrap_or_default();
            let shows_value = name.contains('=');
            assert!(
                !shows_value || !secret.iter().any(|word| name.contains(word)) || name.contains("_FILE"),
                "{program} {flag} would show its value: {said}"
            );
        }
    }
}

#[tokio::test]
async fn stack_says_what_each_of_its_commands_does() {
    for (program, subcommands) in COMMANDS.iter().filter(|(program, _)| *program == "stack") {
        let overview = help(program, &[]).await;
        for subcommand in *subcommands {
            assert!(overview.contains(subcommand), "{overview}");
            for (flag, said) in flags(&help(program, &[subcommand]).await) {
                assert!(
                    said.split_whitespace().count() > 2,
                    "{program} {subcommand} {flag}: {said}"
                );
            }
        }
    }
}
