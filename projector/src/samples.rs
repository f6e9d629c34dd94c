//! Every version of every event that was ever published still becomes a row: `schemas/samples` has one of each.

use std::path::Path;

use chrono::{DateTime, Utc};
use envelope::{Metadata, Position, RecordedEvent};
use projection::{Projection, ProjectionBatch as _};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{Licensing, Reports};

/// What an aggregate can begin with; the first is what comes before its other events.
const FIRST: &[(&str, &str, &str)] = &[
    ("order", "OrderPlaced", "1"),
    ("license", "LicenseIssued", "1"),
    ("license", "LicenseGranted", "1"),
    ("license_type", "LicenseTypeCreated", "1"),
    ("club", "ClubRegistered", "1"),
    ("user", "UserContactChanged", "1"),
    ("terms", "TermsPublished", "1"),
    ("suspension", "SuspensionImposed", "1"),
    ("letters", "LetterSent", "1"),
    ("receipt_series", "ReceiptIssued", "1"),
    ("batch", "BatchSubmitted", "1"),
];

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("schemas/{name}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn sample(event_type: &str, event_version: &str) -> Box<RawValue> {
    to_raw_value(&read(&format!("samples/{event_type}.v{event_version}.json"))).unwrap()
}

/// The sample as the event of this number of its aggregate.
fn recorded(aggregate_type: &str, event_type: &str, event_version: &str, number: u64) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(number),
        aggregate_type: aggregate_type.into(),
        aggregate_id: Uuid::nil(),
        sequence: number,
        event_type: event_type.into(),
        event_version: event_version.into(),
        payload: sample(event_type, event_version),
        metadata: Metadata::default(),
        recorded_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

#[test]
fn every_published_event_is_applied_and_none_set_aside() {
    apply_samples(&Licensing);
    apply_samples(&Reports);
}

fn apply_samples<P: Projection<Batch: Default>>(projection: &P) {
    let published = read("published.json");
    let published = published.as_array().unwrap();
    assert!(!published.is_empty());
    for event in published {
        let [aggregate_type, event_type, event_version] =
            ["aggregate_type", "event_type", "event_version"].map(|field| event[field].as_str().unwrap());
        if !projection.reads(aggregate_type) {
            continue;
        }
        let first = FIRST.iter().find(|(aggregate, ..)| *aggregate == aggregate_type);
        let (_, first_type, first_version) =
            first.unwrap_or_else(|| panic!("what begins a {aggregate_type}?"));
        let mut batch = P::Batch::default();
        let mut number = 1;
        let begins = FIRST.iter().any(|(_, begins, _)| *begins == event_type);
        if !begins {
            let first = recorded(aggregate_type, first_type, first_version, number);
            batch
                .apply(&first)
                .unwrap_or_else(|reason| panic!("{first_type}: {reason}"));
            number += 1;
        }
        let event = recorded(aggregate_type, event_type, event_version, number);
        batch.apply(&event).unwrap_or_else(|reason| {
            panic!(
                "{event_type} version {event_version} would be parked in {}: {reason}",
                projection.name()
            )
        });
    }
}
