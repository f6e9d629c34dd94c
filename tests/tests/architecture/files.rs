//! The form of every file: short, finished, introduced by a comment, used.

use std::path::{Path, PathBuf};

use crate::{files, read, root, shown};

/// A longer file is split. Tests may be longer: they are lists.
const MOST_LINES: usize = 500;

#[test]
fn files_are_short_and_finished() {
    let mut checked = 0;
    for path in files("rs") {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(
            is_test(&path) || lines <= MOST_LINES,
            "{} has {lines} lines",
            shown(&path)
        );
        // In two parts, so that this file contains neither.
        for unfinished in [concat!("todo", "!("), concat!("unimplemented", "!(")] {
            assert!(!text.contains(unfinished), "{} has {unfinished}…)", shown(&path));
        }
        checked += 1;
    }
    assert!(checked > 100, "found only {checked} files");
}

/// What a newcomer reads first stays short: the example of the store, and its adapter for the public benchmark suite.
#[test]
fn the_example_and_the_adapter_are_short() {
    for (file, most) in [
        ("crates/engine/event-store/examples/accounts.rs", 80),
        ("bench/adapter/src/lib.rs", 150),
    ] {
        let lines = read(&root().join(file)).lines().count();
        assert!(lines <= most, "{file} has {lines} lines, at most {most}");
    }
}

#[test]
fn every_module_says_why_it_exists() {
    // A module's unit tests, in a file of their own, need no introduction.
    for path in files("rs").into_iter().filter(|path| !path.ends_with("tests.rs")) {
        assert!(
            read(&path).starts_with("//! "),
            "{} begins with no //!",
            shown(&path)
        );
    }
}

#[test]
fn every_statement_says_who_uses_it_and_is_used() {
    let with_text = |path: PathBuf| (read(&path), path);
    let sources: Vec<(String, PathBuf)> = files("rs").into_iter().map(with_text).collect();
    let mut checked = 0;
    for path in files("sql") {
        assert!(
            read(&path).starts_with("-- "),
            "{} begins with no comment",
            shown(&path)
        );
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a file name");
        // A schema as it is now, written and compared by a test.
        if name == "schema.sql" {
            continue;
        }
        let owner = path
            .ancestors()
            .find(|dir| dir.ends_with("src") || dir.ends_with("tests"))
            .expect("a crate's src or tests");
        // Migrations are embedded as a directory.
        let used = path.parent().is_some_and(|dir| dir.ends_with("migrations"))
            || sources
                .iter()
                .any(|(text, source)| source.starts_with(owner) && text.contains(name));
        assert!(used, "nothing uses {}", shown(&path));
        checked += 1;
    }
    assert!(checked > 10, "found only {checked} statements");
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.iter().any(|part| part == "tests")
}
