//! `--help` leaves nothing out.

use std::collections::BTreeMap;

use crate::run;

/// Every program and subcommand that a person may run.
const COMMANDS: &[(&str, &[&str])] = &[
    ("command-api", &["serve", "migrate"]),
    ("projector", &["serve", "migrate", "status", "verify", "rebuild"]),
    ("query-api", &["serve"]),
    ("payment-emulator", &[]),
    ("stack", &["install", "up", "token", "clean-data", "test-servers"]),
    ("campaign", &[]),
];

async fn help(program: &str, arguments: &[&str]) -> String {
    let ended = run(program, &[arguments, &["--help"]].concat(), &BTreeMap::new()).await;
    ended.well();
    ended.output
}

/// The flags of a help text, each with what is said of it.
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

#[tokio::test]
async fn every_flag_of_every_server_says_what_it_is_and_which_variable_it_is() {
    for (program, subcommands) in COMMANDS.iter().filter(|(program, _)| *program != "stack") {
        let mut pages = vec![help(program, &[]).await];
        for subcommand in *subcommands {
            assert!(
                pages[0].contains(subcommand),
                "{program} does not say that it can {subcommand}"
            );
            pages.push(help(program, &[subcommand]).await);
        }
        let flags: Vec<(String, String)> = pages.iter().flat_map(|page| flags(page)).collect();
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
