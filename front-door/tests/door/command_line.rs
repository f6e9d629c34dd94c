//! Flags, environment and what is missing.

use clap::{CommandFactory as _, Parser as _};
use front_door::config::Cli;

use crate::support::options;

const REQUIRED: [&str; 6] = [
    "--public-url=https://shop.example",
    "--session-keys-file=/run/secrets/session.keys",
    "--oidc-discovery-url=https://issuer.example/.well-known/openid-configuration",
    "--oidc-client-id=front-door",
    "--jwt-issuer=https://issuer.example",
    "--jwks-url=https://issuer.example/jwks",
];

#[test]
fn the_options_are_well_formed_and_secrets_do_not_print() {
    Cli::command().debug_assert();
    let arguments = REQUIRED.iter().chain(&["--oidc-client-secret=hush"]);
    let options = options(
        &arguments
            .map(|argument| (*argument).to_owned())
            .collect::<Vec<_>>(),
    );
    assert!(options.provider.client_secret().unwrap().is_some());
    let shown = format!("{options:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn each_of_these_is_needed() {
    for missing in REQUIRED {
        let rest = REQUIRED.iter().filter(|argument| **argument != missing);
        let refused = Cli::try_parse_from(["front-door", "serve"].iter().chain(rest)).unwrap_err();
        let flag = missing.split('=').next().unwrap();
        assert!(refused.to_string().contains(flag), "{refused}");
    }
    for bad in [
        "--public-url=http://shop.example",
        "--public-url=https://shop.example/shop",
    ] {
        let arguments = REQUIRED[1..].iter().chain([&bad]);
        let refused = Cli::try_parse_from(["front-door", "serve"].iter().chain(arguments)).unwrap_err();
        assert!(refused.to_string().contains("--public-url"), "{refused}");
    }
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
