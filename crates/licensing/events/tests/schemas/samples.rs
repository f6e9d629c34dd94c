//! One payload per published version, as the shop might have written it. Every later build must still read it.

use chrono::{DateTime, Utc};
use envelope::{EventPayload, Metadata, Position, RecordedEvent};
use events::{Event, EventSchema};
use jsonschema::Validator;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::published::Published;
use crate::read;

fn validator(schema: &str) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(&read(schema))
        .unwrap_or_else(|error| panic!("schemas/{schema}: {error}"))
}

fn payload_validator(published: &Published) -> Validator {
    validator(&format!("events/{}.json", published.name()))
}

fn sample(published: &Published) -> Value {
    read(&format!("samples/{}.json", published.name()))
}

fn recorded(published: &Published) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(1_204),
        aggregate_type: published.aggregate_type.clone(),
        aggregate_id: Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_0001),
        sequence: 1,
        event_type: published.event_type.clone(),
        event_version: published.event_version.clone(),
        payload: serde_json::value::to_raw_value(&sample(published)).unwrap(),
        metadata: Metadata {
            request_id: Some("0198c5a2-7d1e-7000-8000-00000000beef".into()),
            causation_position: Some(Position::new(1_203)),
            actor: Some("process:fulfillment".into()),
            ..Metadata::default()
        },
        recorded_at: DateTime::<Utc>::from_timestamp(1_780_000_000, 123_456_000).unwrap(),
    }
}

fn encode(event: &Event) -> (String, Value) {
    fn of(event: &impl EventPayload) -> (String, Value) {
        let payload = event.encode().unwrap();
        (
            event.event_version().to_owned(),
            serde_json::from_str(payload.get()).unwrap(),
        )
    }
    match event {
        Event::Order(event) => of(event),
        Event::License(event) => of(event),
        Event::LicenseType(event) => of(event),
        Event::Club(event) => of(event),
        Event::User(event) => of(event),
        Event::Terms(event) => of(event),
        Event::ReceiptSeries(event) => of(event),
        Event::Suspension(event) => of(event),
        Event::Letters(event) => of(event),
        Event::Person(event) => of(event),
        Event::Keyring(event) => of(event),
        Event::Batch(event) => of(event),
    }
}

#[test]
fn every_sample_is_valid() {
    for published in Published::list() {
        if let Err(error) = payload_validator(&published).validate(&sample(&published)) {
            panic!("{} at {}: {error}", published.name(), error.instance_path());
        }
    }
}

#[test]
fn every_sample_is_read() {
    for published in Published::list() {
        Event::read(&recorded(&published)).unwrap_or_else(|error| panic!("{}: {error}", published.name()));
    }
}

/// Nothing of it is lost on the way through the types. A version that is no longer written is read as a later one.
#[test]
fn every_sample_of_what_is_written_encodes_to_the_same() {
    let mut compared = 0;
    for published in Published::list() {
        let events = Event::read(&recorded(&published)).unwrap();
        if let [event] = events.as_slice()
            && let (version, payload) = encode(event)
            && version == published.event_version
        {
            assert_eq!(payload, sample(&published), "{}", published.name());
            compared += 1;
        }
    }
    assert_eq!(compared, EventSchema::all().len());
}

#[test]
fn a_recorded_event_is_valid_with_every_sample() {
    let validator = validator("recorded_event.json");
    for published in Published::list() {
        let body = serde_json::to_value(recorded(&published)).unwrap();
        if let Err(error) = validator.validate(&body) {
            panic!("{} at {}: {error}", published.name(), error.instance_path());
        }
    }
    assert!(!validator.is_valid(&json!({"position": 1})));
}

/// A schema that accepts everything would pass all of the above.
#[test]
fn a_sample_that_lacks_a_field_is_refused() {
    let mut refused = 0;
    for published in Published::list() {
        let (validator, sample) = (payload_validator(&published), sample(&published));
        let schema = read(&format!("events/{}.json", published.name()));
        for field in schema["required"].as_array().into_iter().flatten() {
            let mut without = sample.clone();
            without.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!(
                !validator.is_valid(&without),
                "{} without {field}",
                published.name()
            );
            refused += 1;
        }
    }
    assert!(refused > 30, "only {refused} fields are required");
}

#[test]
fn personal_data_must_be_marked() {
    let list = Published::list();
    for (event_type, pointer) in [
        ("LicenseIssued", "/holder/name"),
        ("OrderPlaced", "/lines/0/holder/birth_date"),
        ("OrderPlaced", "/lines/1/holder/guardian/phone"),
    ] {
        let published = list
            .iter()
            .find(|published| published.event_type == event_type)
            .unwrap();
        let mut sample = sample(published);
        let marked = sample.pointer_mut(pointer).unwrap();
        *marked = marked["$clear"].take();
        assert!(
            !payload_validator(published).is_valid(&sample),
            "{event_type}{pointer} in clear"
        );
    }
}
