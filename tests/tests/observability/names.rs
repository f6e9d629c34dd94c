//! The metrics of the code, from its sources, with those that appear only after a failure.

use std::collections::BTreeSet;

use crate::root;

/// Every metric name in a `metrics.rs`.
pub(crate) fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut dirs = vec![root()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && !["target", "tests"].contains(&name) {
                dirs.push(path);
            } else if name == "metrics.rs" {
                let text = std::fs::read_to_string(&path).expect("a source");
                names.extend(
                    text.split('"')
                        .skip(1)
                        .step_by(2)
                        .filter(|text| is_ours(text))
                        .map(str::to_owned),
                );
            }
        }
    }
    names
}

pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with("bilsport_")
}

#[test]
fn every_metric_is_named_by_the_rule() {
    let names = declared();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let parts: Vec<&str> = name.split('_').collect();
        let well_formed =
            |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(parts.iter().all(well_formed), "{name}");
        let thing =
            parts.len() - usize::from(["total", "seconds", "bytes"].contains(&parts[parts.len() - 1]));
        assert!(thing >= 3, "{name} is not bilsport_<part>_<thing>");
    }
}
