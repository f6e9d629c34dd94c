//! What was published stays: events in that shape are in logs for ever, and others read them.
//!
//! Committed is published. The list holds a hash of each shape: what a payload may look like, without titles and
//! descriptions and the names of Rust types, so that words can be improved and shapes can't.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use events::EventSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{read, schemas, write};

const LIST: &str = "published.json";

/// An event type in a version that was published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) aggregate_type: String,
    sha256: String,
}

impl Published {
    /// All of them.
    pub(crate) fn list() -> Vec<Self> {
        serde_json::from_value(read(LIST)).unwrap()
    }

    /// `OrderPlaced.v1`: its schema and its sample are files of this name.
    pub(crate) fn name(&self) -> String {
        format!("{}.v{}", self.event_type, self.event_version)
    }

    /// Adds what is new. What is there never changes.
    pub(crate) fn extend(written: &[EventSchema]) {
        let mut list = if schemas().join(LIST).exists() {
            Self::list()
        } else {
            Vec::new()
        };
        for event in written.iter().map(Self::from) {
            match list.iter().find(|old| old.name() == event.name()) {
                Some(old) => assert_same(old, &event),
                None => list.push(event),
            }
        }
        list.sort();
        write(LIST, &serde_json::to_value(list).unwrap());
    }
}

impl From<&EventSchema> for Published {
    fn from(event: &EventSchema) -> Self {
        Self {
            event_type: event.event_type.into(),
            event_version: event.event_version.into(),
            aggregate_type: event.aggregate_type.into(),
            sha256: sha256(event.schema.as_value()),
        }
    }
}

#[track_caller]
fn assert_same(published: &Published, now: &Published) {
    assert_eq!(
        published,
        now,
        "{} is published and its shape changed: keep it as it was, and give the new shape a new version",
        published.name()
    );
}

/// The hash of what a payload may look like.
fn sha256(schema: &Value) -> String {
    let mut shape = shape(schema, schema);
    shape.sort_all_objects();
    let hash = digest(&SHA256, shape.to_string().as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// A schema without words for people, each definition in the place of the references to it.
fn shape(schema: &Value, root: &Value) -> Value {
    let object = match schema {
        Value::Object(object) => object,
        Value::Array(items) => return items.iter().map(|item| shape(item, root)).collect(),
        other => return other.clone(),
    };
    let mut kept = Map::new();
    for (keyword, value) in object {
        match keyword.as_str() {
            "title" | "description" | "$defs" => {}
            "$ref" => {
                let pointer = value
                    .as_str()
                    .and_then(|target| target.strip_prefix('#'))
                    .unwrap();
                let target = root.pointer(pointer).expect("a definition of this schema");
                kept.insert("allOf".into(), json!([shape(target, root)]));
            }
            // Here the keys are names of the payload.
            "properties" => {
                let properties = value.as_object().unwrap();
                let shapes = properties
                    .iter()
                    .map(|(name, value)| (name.clone(), shape(value, root)));
                kept.insert(keyword.clone(), Value::Object(shapes.collect()));
            }
            _ => {
                kept.insert(keyword.clone(), shape(value, root));
            }
        }
    }
    Value::Object(kept)
}

#[test]
fn a_published_schema_is_as_it_was() {
    for published in Published::list() {
        let schema = read(&format!("events/{}.json", published.name()));
        assert_eq!(sha256(&schema), published.sha256, "{}", published.name());
    }
}

#[test]
fn what_is_written_is_published() {
    let list = Published::list();
    let written = EventSchema::all();
    assert!(!written.is_empty());
    for event in written.iter().map(Published::from) {
        let published = list.iter().find(|published| published.name() == event.name());
        assert_same(
            published.unwrap_or_else(|| panic!("{} is not published", event.name())),
            &event,
        );
    }
}

/// As far back as this checkout's history goes; a copy without one can only hold what it sees.
#[test]
fn what_any_commit_published_is_still_there() {
    let list = Published::list();
    for commit in git(&["log", "--format=%H", "--", LIST]).lines() {
        let then = git(&["show", &format!("{commit}:./{LIST}")]);
        let then: Vec<Published> = serde_json::from_str(&then).unwrap();
        for published in then {
            assert!(
                list.contains(&published),
                "{} was published in commit {commit}, and is gone or changed",
                published.name()
            );
        }
    }
}

/// The output of git; none where there is no repository.
fn git(arguments: &[&str]) -> String {
    let schemas: &Path = &schemas();
    let output = Command::new("git").current_dir(schemas).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn words_are_not_the_shape_and_everything_else_is() {
    let schema = json!({
        "title": "Named", "description": "A name.", "type": "object", "required": ["title"],
        "properties": {"title": {"$ref": "#/$defs/Name", "description": "The name."}},
        "$defs": {"Name": {"type": "string", "description": "Any."}},
    });
    let other_words = json!({
        "title": "Renamed", "type": "object", "required": ["title"],
        "properties": {"title": {"$ref": "#/$defs/FullName"}},
        "$defs": {"FullName": {"type": "string"}},
    });
    assert_eq!(sha256(&schema), sha256(&other_words));
    for (pointer, changed) in [
        ("/$defs/Name/type", json!("integer")),
        ("/required", json!([])),
        ("/properties/title", json!({"type": "string"})),
        ("/properties", json!({})),
    ] {
        let mut other = schema.clone();
        *other.pointer_mut(pointer).unwrap() = changed;
        assert_ne!(sha256(&schema), sha256(&other), "{pointer}");
    }
}
