//! No two files of a crate import each other, directly or by way of others.
//!
//! The graph is read from the text: `use` statements and paths that begin with `crate`, `super` or `self`, followed
//! through re-exports to the file that defines the name. Two edges between a module and one below it do not count: a
//! parent's `mod` and `pub use`, and a child's use of its parent's types and constants. A child that calls a function of
//! its parent counts, so a parent that calls down into a child which calls back up is a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{files, read};

/// The segments of a module's path within its crate.
type Module = Vec<String>;

/// What a file says about names.
#[derive(Default)]
struct Source {
    /// Modules that it declares.
    children: BTreeSet<String>,
    /// Names that it re-exports, and where they come from.
    exports: BTreeMap<String, Vec<String>>,
    /// Paths that it uses itself.
    uses: BTreeSet<Vec<String>>,
}

type Sources = BTreeMap<Module, Source>;

#[test]
fn no_two_files_import_each_other() {
    let mut crates: BTreeMap<String, Sources> = BTreeMap::new();
    for path in files("rs") {
        let Some(src) = path.ancestors().find(|dir| dir.ends_with("src")) else {
            continue;
        };
        let file = path.strip_prefix(src).expect("below src");
        // Programs beside a library are crates of their own, of one file.
        if file.ends_with("tests.rs") || file.starts_with("bin") {
            continue;
        }
        let sources = crates.entry(src.display().to_string()).or_default();
        sources.insert(module(file), source(&read(&path)));
    }
    assert!(crates.len() > 10, "found only {} crates", crates.len());
    let mut cycles = Vec::new();
    for (src, sources) in &crates {
        let edges = edges(sources);
        assert!(
            sources.len() < 5 || !edges.is_empty(),
            "{src}: no file imports another"
        );
        for cycle in cycles_of(&edges) {
            let names: Vec<String> = cycle.iter().map(|module| module.join("::")).collect();
            cycles.push(format!("{src}: {}", names.join(" <-> ")));
        }
    }
    assert!(
        cycles.is_empty(),
        "files import each other:\n{}",
        cycles.join("\n")
    );
}

#[test]
fn a_cycle_is_found_and_what_is_none_is_not() {
    let graph = |files: &[(&str, &str)]| {
        let sources = files
            .iter()
            .map(|(file, text)| (module(Path::new(file)), source(text)));
        cycles_of(&edges(&sources.collect())).len()
    };
    let root = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::b;\n");
    let one_way = [
        root,
        ("a.rs", "use crate::b::{self, b};\n"),
        ("b.rs", "// use crate::a::A;\n"),
    ];
    assert_eq!(graph(&one_way), 0);
    // Also by way of the root's re-export, and of a path in the text.
    let both = [
        root,
        ("a.rs", "use crate::b;\n"),
        ("b.rs", "fn b() { crate::A::new() }\n"),
    ];
    assert_eq!(graph(&both), 1);
    let parent = "mod c;\nuse self::c::down;\npub fn up() { down() }\npub struct A;\n";
    let types_up = [
        root,
        ("a.rs", parent),
        ("a/c.rs", "use super::A;\n"),
        ("b.rs", ""),
    ];
    assert_eq!(graph(&types_up), 0);
    let calls_up = [
        root,
        ("a.rs", parent),
        ("a/c.rs", "use super::up;\n"),
        ("b.rs", ""),
    ];
    assert_eq!(graph(&calls_up), 1);
    let of_three = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "use crate::b::B;\n"),
        ("b.rs", "use super::c::C;\n"),
        ("c.rs", "use crate::a::{\n    A,\n    Z,\n};\n"),
    ];
    assert_eq!(graph(&of_three), 1);
}

fn module(file: &Path) -> Module {
    let mut module: Module = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module == ["lib"] || module == ["main"] {
        module.clear();
    }
    module
}

/// Reads a file, without its comments and its unit tests, which come last.
fn source(text: &str) -> Source {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .take_while(|line| line.trim() != "#[cfg(test)]" || text.contains("#[cfg(test)]\npub"))
        .collect();
    let mut source = Source::default();
    for statement in code.join("\n").split_inclusive([';', '{']) {
        let line = statement
            .lines()
            .find(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        let head = line.unwrap_or_default().trim();
        let (public, head) = match head.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => (true, rest.split_once(") ").map_or("", |(_, rest)| rest)),
            Some(rest) => (true, rest.trim_start()),
            None => (false, head),
        };
        if let Some(name) = head.strip_prefix("mod ").and_then(|name| name.strip_suffix(';')) {
            source.children.insert(name.trim().to_owned());
        }
        if public && let Some(tree) = head.strip_prefix("use ") {
            let all = code.join("\n");
            let from = all.find(head).map_or(tree, |at| &all[at + "use ".len()..]);
            for path in expand(from.split(';').next().unwrap_or_default()) {
                source
                    .exports
                    .insert(path.last().cloned().unwrap_or_default(), path);
            }
        }
    }
    let all = code.join("\n");
    for tree in all.split("\nuse ").skip(1).chain(all.strip_prefix("use ")) {
        source
            .uses
            .extend(expand(tree.split(';').next().unwrap_or_default()));
    }
    source.uses.extend(paths_within(&all));
    source
}

/// The paths of a use tree with at most one list: `a::{B, self}` is `a::B` and `a`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let (prefix, list) = tree.split_once('{').unwrap_or((tree, ""));
    let segments = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or_default();
        path.split("::")
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    };
    if list.is_empty() {
        return vec![segments(prefix)];
    }
    let items = list
        .trim_end()
        .trim_end_matches('}')
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items
        .map(|item| {
            let mut path = segments(prefix);
            path.extend(segments(item).into_iter().filter(|part| part != "self"));
            path
        })
        .collect()
}

/// Paths in the text that begin at the crate's root or at a module above.
fn paths_within(code: &str) -> Vec<Vec<String>> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    // What ends with a colon goes on with a list, and is read as a use statement.
    code.split(|letter| !is_name(letter))
        .filter(|path| !path.ends_with(':'))
        .filter(|path| {
            ["crate::", "super::", "self::"]
                .iter()
                .any(|root| path.starts_with(root))
        })
        .map(|path| {
            path.split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// The file that defines what a path names, and the name, if that is not the file itself.
fn resolve(sources: &Sources, from: &Module, path: &[String], hops: u8) -> Option<(Module, Option<String>)> {
    let mut at = from.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (at, rest) = (Module::new(), &path[1..]),
        "self" => rest = &path[1..],
        "super" => {}
        child if sources[from].children.contains(child) => {}
        _ => return None,
    }
    while rest.first().is_some_and(|part| part == "super") {
        at.pop();
        rest = &rest[1..];
    }
    while let Some(part) = rest.first() {
        let below: Module = at.iter().chain([part]).cloned().collect();
        if !sources.contains_key(&below) {
            break;
        }
        (at, rest) = (below, &rest[1..]);
    }
    let Some(name) = rest.first() else {
        return Some((at, None));
    };
    let export = sources.get(&at).and_then(|source| source.exports.get(name));
    match export {
        Some(path) if hops > 0 => resolve(sources, &at, path, hops - 1).or(Some((at, Some(name.clone())))),
        _ => Some((at, Some(name.clone()))),
    }
}

fn edges(sources: &Sources) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (from, source) in sources {
        for path in &source.uses {
            let Some((to, name)) = resolve(sources, from, path, 4) else {
                continue;
            };
            let is_above = to.len() < from.len() && from.starts_with(&to);
            let is_type = name.is_none_or(|name| name.starts_with(char::is_uppercase));
            if to != *from && sources.contains_key(&to) && !(is_above && is_type) {
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    edges
}

/// Groups of files each of which reaches every other one, of two and more.
fn cycles_of(edges: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reached = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for next in edges.get(&module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<Module>> = edges.keys().map(|from| (from, reached(from))).collect();
    let circle = |from: &Module| {
        let others = reach[from]
            .iter()
            .filter(|to| reach.get(to).is_some_and(|back| back.contains(from)));
        others.cloned().collect::<BTreeSet<Module>>()
    };
    edges.keys().map(circle).filter(|cycle| cycle.len() > 1).collect()
}
