//! `deny.toml` agrees with the tree. `make lint` runs cargo-deny where cargo-deny is installed; these tests check its two
//! most important rules without it.

use crate::{root, tree};

#[test]
fn every_dependency_has_a_license_that_is_allowed() {
    let allowed = list("allow = [");
    assert!(allowed.contains(&"Apache-2.0".to_owned()), "{allowed:?}");
    let everything = tree(&["--workspace", "--edges", "normal,build,dev"], "{p}\t{l}");
    assert!(everything.len() > 100, "{everything:?}");
    for line in everything {
        let (package, license) = line.split_once('\t').expect("two columns");
        assert!(
            is_allowed(license, &allowed),
            "{package} has the license {license:?}"
        );
    }
}

#[test]
fn second_crypto_is_denied() {
    let text = deny();
    for package in ["ring", "openssl", "openssl-sys", "native-tls"] {
        assert!(
            text.contains(&format!("{{ crate = \"{package}\"")),
            "{package} is not denied"
        );
    }
    assert!(text.contains("unknown-registry = \"deny\"") && text.contains("unknown-git = \"deny\""));
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    for fine in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/GPL-3.0",
        "ISC AND (GPL-3.0 OR MIT)",
        "MIT OR GPL-3.0 AND BSL-1.0",
    ] {
        assert!(is_allowed(fine, &allowed), "{fine}");
    }
    for refused in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND GPL-3.0",
        "MIT WITH some-exception",
    ] {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
}

fn deny() -> String {
    std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml")
}

/// The strings of the one-line list that starts with `begin`.
fn list(begin: &str) -> Vec<String> {
    let text = deny();
    let line = text
        .lines()
        .find(|line| line.starts_with(begin))
        .expect("the list");
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether the allowed licenses satisfy an SPDX expression. `AND` binds closer than `OR`; `/` is an old form of `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let met = any(words, allowed);
            words.next();
            met
        }
        Some(license) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            allowed.contains(&format!("{license} WITH {exception}"))
        }
        Some(license) => allowed.iter().any(|one| one == license),
        None => false,
    }
}
