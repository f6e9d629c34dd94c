//! Other teams build on `schemas/`: the files are generated from the types, and a published version never changes.
//!
//! `UPDATE_SCHEMAS=1 cargo test -p events --test schemas committed` writes what has changed or is new.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, and says where"
)]

mod asyncapi;
mod generated;
mod published;
mod samples;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The directory that others read.
fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../schemas")
}

fn read(name: &str) -> Value {
    let path = schemas().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("schemas/{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("schemas/{name}: {error}"))
}

fn write(name: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    std::fs::write(schemas().join(name), text).unwrap();
}
