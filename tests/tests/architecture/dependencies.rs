//! No crate declares a dependency that its sources do not name. `make lint` runs cargo-machete where it is installed;
//! this test needs no tool.

use crate::{assert_none, files, packages, read};

/// Dependencies that no source names, because declaring them is the use: they select a feature of another crate.
const FOR_THEIR_FEATURES: &[(&str, &str)] = &[];

#[test]
fn every_declared_dependency_is_named_in_the_sources() {
    let mut findings = Vec::new();
    let mut checked = 0;
    let all = files("rs");
    for package in packages() {
        let dir = package.manifest_path.parent().expect("a directory");
        let of_package = all.iter().filter(|path| path.starts_with(dir));
        let sources: Vec<String> = of_package.map(|path| read(path)).collect();
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
            let in_code = name.replace('-', "_");
            let named = sources.iter().any(|text| has_word(text, &in_code));
            let excused = FOR_THEIR_FEATURES.contains(&(package.name.as_str(), name.as_str()));
            if !named && !excused {
                findings.push(format!("{}: {name}", package.name));
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "found only {checked} dependencies");
    assert_none("dependencies that no source names", &findings);
}

/// Whether the identifier stands in the text, and not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let of_a_name = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(of_a_name) && !text[at + word.len()..].starts_with(of_a_name))
}

#[test]
fn a_name_is_found_only_as_a_whole() {
    assert!(has_word("use clap::Args;", "clap"));
    assert!(!has_word("use clap_derive::Args;", "clap"));
    assert!(!has_word("handclap", "clap"));
}
