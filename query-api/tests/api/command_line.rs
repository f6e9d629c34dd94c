//! Flags, environment and what is missing.

use clap::{CommandFactory, Parser};
use query_api::config::{Cli, Command};

const REQUIRED: [&str; 8] = [
    "query-api",
    "serve",
    "--read-database-url=postgres://query_api:hush@127.0.0.1/read",
    "--jwt-issuer=https://issuer.example",
    "--jwks-url=https://issuer.example/jwks",
    "--jwt-audience=bilsportlisens",
    "--listen=127.0.0.1:0",
    "--ops-listen=127.0.0.1:0",
];

#[test]
fn the_options_are_well_formed_and_secrets_do_not_print() {
    Cli::command().debug_assert();
    let Command::Serve(options) = Cli::try_parse_from(REQUIRED).unwrap().command else {
        panic!("another command");
    };
    assert_eq!(options.pool.db_statement_timeout_s, 5);
    let shown = format!("{options:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn help_names_every_flag_with_its_variable() {
    let mut command = Cli::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let help = serve.render_long_help().to_string();
    for argument in serve
        .get_arguments()
        .filter(|argument| argument.get_long() != Some("help"))
    {
        let flag = argument.get_long().unwrap();
        assert!(help.contains(&format!("--{flag}")), "{flag}");
        assert!(argument.get_env().is_some(), "{flag} has no environment variable");
        assert!(argument.get_help().is_some(), "{flag} has no help");
    }
}

#[test]
fn a_server_without_a_good_cursor_secret_does_not_start() {
    for secret in [None, Some("--cursor-secret=short")] {
        let command = Cli::try_parse_from(REQUIRED.into_iter().chain(secret))
            .unwrap()
            .command;
        let Command::Serve(options) = command else {
            panic!("another command");
        };
        let error = options.cursors().unwrap_err().to_string();
        assert!(error.contains("cursor"), "{error}");
    }
}

#[test]
fn keys_come_with_their_root_and_a_seller_with_a_number_that_checks() {
    let parsed =
        |arguments: &[&str]| Cli::try_parse_from(REQUIRED.iter().chain(arguments)).map(|cli| cli.command);
    for wrong in [
        ["--license-keys-file=keys.json"].as_slice(),
        &["--root-key-file=root.json"],
        &["--seller-name=NBF"],
        &["--seller-name=NBF", "--seller-organization-number=123456786"],
        &["--seller-name=NBF", "--seller-organization-number=12345678"],
        &["--seller-name=NBF", "--seller-organization-number=123456785x"],
    ] {
        assert!(parsed(wrong).is_err(), "{wrong:?}");
    }
    let fine = parsed(&["--seller-name=NBF", "--seller-organization-number=123456785"]).unwrap();
    let Command::Serve(options) = fine else {
        panic!("another command");
    };
    let seller = options.documents.seller.seller().unwrap();
    assert_eq!(seller.organization_number, "123 456 785");
}
