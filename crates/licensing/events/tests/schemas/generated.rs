//! The committed files are the ones of the types.

use std::collections::BTreeSet;

use envelope::RecordedEvent;
use events::EventSchema;
use serde_json::Value;

use crate::published::Published;
use crate::{asyncapi, read, schemas, write};

/// Everything that is generated, by file name.
fn documents() -> Vec<(String, Value)> {
    let mut documents: Vec<(String, Value)> = EventSchema::all()
        .into_iter()
        .map(|event| {
            let name = format!("events/{}.v{}.json", event.event_type, event.event_version);
            (name, event.schema.to_value())
        })
        .collect();
    let recorded_event = events::written::<RecordedEvent>();
    documents.push(("recorded_event.json".into(), recorded_event.to_value()));
    documents.push(("asyncapi.json".into(), asyncapi::document()));
    documents
}

#[test]
fn committed_schemas_are_the_ones_of_the_types() {
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        // First: it refuses when something that is published would change.
        Published::extend(&EventSchema::all());
        for (name, document) in documents() {
            write(&name, &document);
        }
    }
    for (name, document) in documents() {
        assert!(
            read(&name) == document,
            "schemas/{name} is not what the types say: UPDATE_SCHEMAS=1 cargo test -p events --test schemas committed"
        );
    }
}

#[test]
fn what_may_be_absent_is_never_null() {
    for (name, document) in documents() {
        assert!(!document.to_string().contains("\"null\""), "schemas/{name}");
    }
}

#[test]
fn every_published_version_has_a_schema_and_a_sample_and_nothing_else_lies_there() {
    let published: BTreeSet<String> = Published::list().iter().map(Published::name).collect();
    assert!(!published.is_empty());
    for directory in ["events", "samples"] {
        let files: BTreeSet<String> = std::fs::read_dir(schemas().join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let expected = published.iter().map(|name| format!("{name}.json")).collect();
        assert_eq!(files, expected, "schemas/{directory} and schemas/published.json");
    }
}
