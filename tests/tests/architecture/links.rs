//! No dead link: every relative link of every Markdown file leads to a file, and every `#anchor` to a heading there.

use std::path::{Path, PathBuf};

use crate::{assert_none, files, read, root, shown};

#[test]
fn every_relative_link_leads_somewhere() {
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in files("md") {
        let text = without_fences(&read(&path));
        for target in targets(&text) {
            checked += 1;
            if let Err(problem) = follow(&path, target) {
                findings.push(format!("{}: {target}: {problem}", shown(&path)));
            }
        }
    }
    assert!(checked > 100, "found only {checked} links");
    assert_none("dead links", &findings);
}

/// Paths in backquotes age as links do, so those that start at a directory of the checkout are followed as well. A README
/// of a crate may also name paths of its own directory.
#[test]
fn every_path_in_backquotes_exists() {
    let tops: Vec<String> = std::fs::read_dir(root())
        .expect("the checkout")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| root().join(name).is_dir() && !name.starts_with('.') && name != "target")
        .collect();
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in files("md") {
        let text = without_fences(&read(&path));
        for span in text.split('`').skip(1).step_by(2) {
            let is_path = span
                .split_once('/')
                .is_some_and(|(top, rest)| tops.iter().any(|dir| dir == top) && !rest.is_empty());
            let is_plain = !span.contains([' ', '*', '{', '<', '…', '$', '=', '\n']);
            if is_path && is_plain {
                checked += 1;
                let beside = path.parent().expect("a directory");
                if ![root().as_path(), beside]
                    .iter()
                    .any(|dir| dir.join(span).exists())
                {
                    findings.push(format!("{}: `{span}` does not exist", shown(&path)));
                }
            }
        }
    }
    assert!(checked > 50, "found only {checked} paths");
    assert_none("paths in backquotes that do not exist", &findings);
}

/// Whether a link in this file leads to a file, and to a heading if it names one.
fn follow(from: &Path, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let to: PathBuf = if file.is_empty() {
        from.to_owned()
    } else {
        from.parent().expect("a directory").join(file)
    };
    if !to.exists() {
        return Err("no such file".to_owned());
    }
    let is_markdown = to.extension().is_some_and(|extension| extension == "md");
    if anchor.is_empty() || !is_markdown {
        return Ok(());
    }
    let text = without_fences(&read(&to));
    let known = text.lines().filter(|line| line.starts_with('#')).map(slug);
    if known.into_iter().any(|other| other == anchor) {
        Ok(())
    } else {
        Err("no such heading".to_owned())
    }
}

/// What stands in the parentheses of `[text](target)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .filter_map(|(target, _)| target.split_whitespace().next())
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ if character.is_alphanumeric() => character.to_lowercase().next(),
            _ => None,
        })
        .collect()
}

/// The text without blocks of code, in which brackets mean something else.
fn without_fences(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn dead_links_are_found() {
    let here = root().join("README.md");
    assert_eq!(follow(&here, "https://example.org/nothing"), Ok(()));
    assert_eq!(follow(&here, "docs/ARCHITECTURE.md"), Ok(()));
    assert!(follow(&here, "docs/NOTHING.md").is_err());
    assert!(follow(&here, "docs/ARCHITECTURE.md#no-such-heading").is_err());
    assert_eq!(slug("## Who may do what, at `NATS`?"), "who-may-do-what-at-nats");
    let text = "see [a\nb](one.md) and [c](two.md \"title\")";
    assert_eq!(targets(text).collect::<Vec<_>>(), ["one.md", "two.md"]);
}
