//! One module style and one import style, as `rustfmt` cannot hold them on stable Rust.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{assert_none, files, read, shown};

#[test]
fn a_module_is_a_file_beside_its_directory() {
    let findings: Vec<String> = files("rs")
        .iter()
        .filter(|path| path.ends_with("mod.rs"))
        .map(|path| format!("{}: name it after its directory", shown(path)))
        .collect();
    assert_none("files named mod.rs", &findings);
}

#[test]
fn imports_have_one_form() {
    let mut findings = Vec::new();
    let mut checked = 0;
    for path in files("rs") {
        let text = read(&path);
        checked += imports(&text).len();
        findings.extend(problems(&path, &text));
    }
    assert!(checked > 1000, "found only {checked} imports");
    assert_none("imports in another form", &findings);
}

/// One `use` at the beginning of a line.
struct Import {
    line: usize,
    /// The whole statement, on one line and without `use` and `;`.
    path: String,
    is_public: bool,
    /// Whether an empty line, or anything else than an import, is above.
    begins_group: bool,
}

/// Nested braces, paths in braces, a module imported twice, and groups that are mixed or out of order.
fn problems(path: &Path, text: &str) -> Vec<String> {
    let modules = declared_modules(text);
    let mut found = Vec::new();
    let mut before: Option<(Group, String)> = None;
    let mut seen = BTreeSet::new();
    for import in imports(text) {
        let mut report = |what: &str| found.push(format!("{}:{}: {what}", shown(path), import.line));
        if import.path.matches('{').count() > 1 {
            report("nested braces");
        }
        if import
            .path
            .split_once('{')
            .is_some_and(|(_, names)| names.contains("::"))
        {
            report("a path in braces");
        }
        if import.is_public {
            continue;
        }
        let module = module_of(&import.path).to_owned();
        if !seen.insert(module.clone()) {
            report(&format!("{module} is imported by two statements"));
        }
        let group = Group::of(&import.path, &modules);
        match before {
            Some((last, _)) if group < last => report("the order is: std, external, our own crate"),
            Some((last, _)) if group > last && !import.begins_group => report("no empty line between groups"),
            Some((last, ref other)) if group == last && import.begins_group => {
                report(&format!("an empty line inside a group, after {other}"));
            }
            _ => {}
        }
        before = Some((group, module));
    }
    found
}

/// The three groups of imports, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Std,
    External,
    Own,
}

impl Group {
    fn of(path: &str, modules: &BTreeSet<&str>) -> Self {
        match path.split([':', ' ', ';']).next().unwrap_or_default() {
            "std" | "core" | "alloc" => Self::Std,
            "crate" | "super" | "self" => Self::Own,
            first if modules.contains(first) => Self::Own,
            _ => Self::External,
        }
    }
}

/// What is left of the last `::`, outside braces.
fn module_of(path: &str) -> &str {
    let outside = path.split('{').next().unwrap_or_default().trim_end_matches("::");
    if path.contains('{') {
        outside
    } else {
        outside.rsplit_once("::").map_or(outside, |(module, _)| module)
    }
}

/// The modules that a file declares: their names begin paths of our own crate.
fn declared_modules(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| {
            let after = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            after.strip_prefix("mod ")?.split([';', ' ']).next()
        })
        .collect()
}

/// The imports at the beginning of lines: those inside functions and inline modules are indented.
fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut previous_is_import = false;
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let is_public = first.starts_with("pub use ") || first.starts_with("pub(crate) use ");
        if !is_public && !first.starts_with("use ") {
            // Attributes belong to the import under them.
            previous_is_import &= first.starts_with("#[");
            continue;
        }
        let mut statement = first.to_owned();
        while !statement.ends_with(';') {
            let Some((_, next)) = lines.next() else { break };
            statement.push_str(next.trim());
        }
        let path = statement
            .split_once("use ")
            .map_or("", |(_, path)| path)
            .trim_end_matches(';');
        found.push(Import {
            line: index + 1,
            path: path.to_owned(),
            is_public,
            begins_group: !previous_is_import,
        });
        previous_is_import = true;
    }
    found
}

#[test]
fn other_forms_are_found() {
    let of = |text: &str| problems(Path::new("x.rs"), text).join("\n");
    assert_eq!(
        of("use std::fmt;\n\nuse clap::Args;\n\nuse crate::a;\nuse super::b;\n"),
        ""
    );
    assert!(of("use a::{b::{c, d}, e};\n").contains("nested"));
    assert!(of("use a::{b, c::d};\n").contains("a path in braces"));
    assert!(of("use a::b;\nuse a::c;\n").contains("two statements"));
    assert!(of("use clap::Args;\n\nuse std::fmt;\n").contains("the order"));
    assert!(of("use std::fmt;\nuse clap::Args;\n").contains("no empty line"));
    assert!(of("use clap::Args;\n\nuse chrono::Utc;\n").contains("inside a group"));
}
