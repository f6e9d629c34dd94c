//! The metrics of the code, from its sources, with those that appear only after a failure.

use std::collections::BTreeSet;

use system_tests::sources::{files, read};

/// Every metric name in a `metrics.rs`.
pub(crate) fn declared() -> BTreeSet<String> {
    let sources = files("rs").into_iter();
    sources
        .filter(|path| path.ends_with("metrics.rs") && !path.iter().any(|part| part == "tests"))
        .flat_map(|path| {
            let text = read(&path);
            let literals = text.split('"').skip(1).step_by(2);
            literals
                .filter(|text| is_ours(text))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
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
