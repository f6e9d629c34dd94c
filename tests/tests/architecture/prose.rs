//! Comments and documents are written so that a reader needs each sentence once. A test cannot judge a sentence; it
//! refuses the words that made the worst ones.

use std::path::{Path, PathBuf};

use crate::{assert_none, files, read, root, shown};

/// Refused anywhere in a comment or a document: words for a person of whom nothing is known, for a machine with
/// feelings, and for an epoch that is alive.
const REFUSED: &[&str] = &[
    "whoever",
    "nobody",
    "somebody",
    "everybody",
    "anybody",
    "anew",
    "has to say",
    "have to say",
    "hope",
    "hopes",
    "hoped",
    "hear",
    "hears",
    "heard",
    "believe",
    "believes",
    "believed",
    "untold",
    "as it became",
    "as they became",
    "let go of",
    "lets go of",
    "so many",
    "so few",
    "new life",
    "old life",
    "earlier life",
    "life of the log",
    "lives of the log",
    "another log's life",
];

/// Refused at the end of a clause: "the order as it is", but not "as it is written".
const REFUSED_AT_AN_END: &[&str] = &["as it is", "as they are", "as it was", "as they were"];

/// How a comment begins, by the extension of its file. `None`: all of the file is prose.
const COMMENTS: &[(&str, Option<&str>)] = &[
    ("rs", Some("//")),
    ("sql", Some("--")),
    ("md", None),
    ("toml", Some("#")),
    ("conf", Some("#")),
    ("yml", Some("#")),
    ("py", Some("#")),
];

/// Migrations that databases have applied, which are compared with these files. Later ones are written in plain English.
fn is_published(path: &Path) -> bool {
    let published = |dir: &str, last: u32| {
        let version = || {
            path.file_name()?
                .to_str()?
                .strip_prefix('V')?
                .split("__")
                .next()?
                .parse()
                .ok()
        };
        path.parent().is_some_and(|parent| parent.ends_with(dir))
            && version().is_some_and(|version: u32| version <= last)
    };
    published("event-store/src/migrations", 13) || published("read-model/src/migrations", 8)
}

#[test]
fn comments_and_documents_use_none_of_the_refused_words() {
    let mut findings = Vec::new();
    let mut checked = 0;
    for (extension, begin) in COMMENTS {
        let generated = root().join("bench/results");
        // Published migrations never change, not even their comments.
        let is_ours = |path: &PathBuf| !path.starts_with(&generated) && !is_published(path);
        for path in files(extension).into_iter().filter(is_ours) {
            checked += 1;
            look_through(&path, *begin, &mut findings);
        }
    }
    look_through(&root().join("Makefile"), None, &mut findings);
    assert!(checked > 300, "found only {checked} files");
    assert_none("refused words (style.md says what to write instead)", &findings);
}

fn look_through(path: &Path, begin: Option<&str>, findings: &mut Vec<String>) {
    // Without the line's end a phrase over two lines would pass, so the next line's first words are looked at as well.
    let text = read(path);
    let lines: Vec<&str> = text.lines().map(|line| prose(line, begin)).collect();
    for (index, line) in lines.iter().enumerate() {
        let following = lines.get(index + 1).copied().unwrap_or_default();
        for word in refused(line, following) {
            findings.push(format!("{}:{}: {word}", shown(path), index + 1));
        }
    }
}

/// The part of a line that is prose. A comment's mark follows white space or begins the line, so that the `//` of an
/// address is none.
fn prose<'a>(line: &'a str, begin: Option<&str>) -> &'a str {
    let Some(begin) = begin else { return line };
    line.match_indices(begin)
        .find(|(at, _)| line[..*at].chars().next_back().is_none_or(char::is_whitespace))
        .map_or("", |(at, _)| {
            line[at..].trim_start_matches(|mark| begin.contains(mark) || mark == '!')
        })
}

/// The refused words that begin in this line.
fn refused(line: &str, following: &str) -> Vec<&'static str> {
    let joined = format!("{} {}", line.trim_end(), following.trim_start()).to_lowercase();
    let own = line.trim_end().len();
    let standing = |phrase: &str, after: fn(char) -> bool| {
        joined.match_indices(phrase).any(|(at, _)| {
            let before = joined[..at].chars().next_back();
            let next = joined[at + phrase.len()..].chars().next();
            at < own && before.is_none_or(|character| !is_of_a_name(character)) && next.is_none_or(after)
        })
    };
    let anywhere = REFUSED
        .iter()
        .filter(|phrase| standing(phrase, |next| !is_of_a_name(next)));
    let at_an_end = REFUSED_AT_AN_END
        .iter()
        .filter(|phrase| standing(phrase, |next| ".,;:)".contains(next)));
    anywhere.chain(at_an_end).copied().collect()
}

/// Names of code and links are not prose: `nobody_pays`, `whoever.rs`.
fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || "_-/`".contains(character)
}

#[test]
fn refused_words_are_found_in_prose_only() {
    let of_rust = Some("//");
    assert_eq!(
        refused(prose("    \u{2f}// Whoever comes first.", of_rust), ""),
        ["whoever"]
    );
    assert_eq!(
        refused(prose("let nobody = 1; // counts so", of_rust), "many of them"),
        ["so many"]
    );
    assert_eq!(refused("The order as it is.", ""), ["as it is"]);
    for fine in ["let nobody = 1;", "\"https://nobody\"", "fn nobody_pays() {}"] {
        assert!(refused(prose(fine, of_rust), "").is_empty(), "{fine}");
    }
    assert!(refused("Every row as it is written; `nobody` is a user's name.", "").is_empty());
}
