//! The stream, for those who follow it: where events arrive, with which headers, in which shape.

use std::collections::BTreeMap;

use envelope::{PARTITIONS, partition, subject};
use event_bus::HEADERS;
use events::EventSchema;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::published::Published;
use crate::{read, schemas};

/// The whole document, in version 3.0 of `AsyncAPI`.
///
/// From the list of what is published rather than from the types alone: a stream that is filled from the log carries
/// versions that are no longer written.
pub(crate) fn document() -> Value {
    let (stream, prefix) = declared();
    let [_, _, _, log_epoch, _] = HEADERS;
    let mut by_aggregate: BTreeMap<String, Vec<Published>> = BTreeMap::new();
    for published in Published::list() {
        by_aggregate
            .entry(published.aggregate_type.clone())
            .or_default()
            .push(published);
    }
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for (aggregate_type, published) in &by_aggregate {
        channels.insert(
            aggregate_type.clone(),
            channel(&prefix, aggregate_type, published),
        );
        operations.insert(format!("publish_{aggregate_type}"), operation(aggregate_type));
        for published in published {
            messages.insert(published.name(), message(published));
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "The log of the license shop, on its way to its readers",
            "version": prefix.rsplit('.').next(),
            "description": format!(
                "The JetStream stream `{stream}`. Its sequence is the position in the log: 1, 2, 3 … without a gap, \
                 each event once. The stream is disposable and may begin anywhere: a reader that finds a hole, or \
                 another `{log_epoch}` than it knows, reads on from the log. A message with an empty body stands for \
                 an event too large for the bus: its place counts, and the log has it. Readers ignore fields that \
                 they do not know."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"headers": headers()}},
    })
}

/// Name and subject prefix of the stream.
fn declared() -> (String, String) {
    let stream: Value = serde_json::from_str(events::STREAM_DECLARATION).unwrap();
    let subjects = stream["subjects"][0].as_str().unwrap();
    let prefix = subjects.strip_suffix(".>").expect("a prefix of subjects");
    (stream["name"].as_str().unwrap().into(), prefix.into())
}

fn channel(prefix: &str, aggregate_type: &str, published: &[Published]) -> Value {
    let reference = |published: &Published| {
        let target = format!("#/components/messages/{}", published.name());
        (published.name(), json!({"$ref": target}))
    };
    let mut types: Vec<&str> = published
        .iter()
        .map(|published| published.event_type.as_str())
        .collect();
    types.dedup();
    let partitions: Vec<String> = (0..PARTITIONS).map(|partition| partition.to_string()).collect();
    json!({
        "address": format!("{prefix}.{{partition}}.{aggregate_type}.{{event_type}}.{{aggregate_id}}"),
        "description": format!("What happens to each `{aggregate_type}`."),
        "parameters": {
            "partition": {
                "description": "FNV-1a of the aggregate's id, folded: all events of one aggregate share it.",
                "enum": partitions,
            },
            "event_type": {"description": "What happened.", "enum": types},
            "aggregate_id": {"description": "UUID of the aggregate."},
        },
        "messages": published.iter().map(reference).collect::<Map<_, _>>(),
    })
}

fn operation(aggregate_type: &str) -> Value {
    json!({
        "action": "send",
        "summary": "The relay publishes what was committed, in the order of the log.",
        "channel": {"$ref": format!("#/channels/{aggregate_type}")},
    })
}

fn message(published: &Published) -> Value {
    let Published {
        event_type,
        event_version,
        aggregate_type,
        ..
    } = published;
    json!({
        "name": event_type,
        "title": format!("{event_type}, version {event_version}"),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "correlationId": {"location": "$message.payload#/metadata/correlation_id"},
        "payload": {
            "allOf": [
                {"$ref": "./recorded_event.json"},
                {
                    "type": "object",
                    "properties": {
                        "aggregate_type": {"const": aggregate_type},
                        "event_type": {"const": event_type},
                        "event_version": {"const": event_version},
                        "payload": {"$ref": format!("./events/{}.json", published.name())},
                    },
                },
            ],
        },
    })
}

fn headers() -> Value {
    let [
        expected_last_sequence,
        prev_fingerprint,
        prev_position,
        log_epoch,
        event_type,
    ] = HEADERS;
    let required = [expected_last_sequence, prev_position, log_epoch, event_type];
    let number =
        |description: &str| json!({"type": "string", "pattern": "^[0-9]+$", "description": description});
    json!({
        "type": "object",
        "required": required,
        "properties": {
            expected_last_sequence: number("The position before this one. The server refuses anything else."),
            prev_position: number("The position of the event before this one in the same partition; 0 if there is none."),
            prev_fingerprint: {
                "type": "string",
                "pattern": "^[0-9a-f]{32}$",
                "description": "Which event is before this one in the log: the first 16 bytes of a SHA-256 of it. A reader \
                                that read another event there reads on from the log. Absent where the publisher does \
                                not know it.",
            },
            log_epoch: {
                "type": "string",
                "format": "uuid",
                "description": "The epoch of the log. A restore to an earlier point begins a new one.",
            },
            event_type: {"type": "string", "description": "What happened, as in the body."},
        },
    })
}

#[test]
fn every_event_has_a_channel_that_its_subject_fits() {
    let document = read("asyncapi.json");
    let id = Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_0001);
    let (_, prefix) = declared();
    for event in EventSchema::all() {
        let channel = &document["channels"][event.aggregate_type];
        let parameter = |name: &str, value: &str| {
            let allowed = channel["parameters"][name]["enum"].as_array().unwrap();
            assert!(allowed.contains(&value.into()), "{name} {value} in {allowed:?}");
        };
        let partition = partition(id).to_string();
        parameter("partition", &partition);
        parameter("event_type", event.event_type);
        let address = channel["address"].as_str().unwrap();
        let filled = address
            .replace("{partition}", &partition)
            .replace("{event_type}", event.event_type)
            .replace("{aggregate_id}", &id.to_string());
        assert_eq!(
            filled,
            subject(&prefix, event.aggregate_type, event.event_type, id)
        );
        let name = format!("{}.v{}", event.event_type, event.event_version);
        assert!(channel["messages"].get(&name).is_some(), "no message {name}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = read("asyncapi.json");
    let mut found = 0;
    let mut rest = vec![&document];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(object) => rest.extend(object.values()),
            Value::Array(items) => rest.extend(items),
            _ => {}
        }
        let Some(target) = value.get("$ref").and_then(Value::as_str) else {
            continue;
        };
        match target.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{target}"),
            None => assert!(schemas().join(target).is_file(), "{target}"),
        }
        found += 1;
    }
    assert!(found > 4 * EventSchema::all().len(), "only {found} references");
}
