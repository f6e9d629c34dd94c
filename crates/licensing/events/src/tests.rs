use chrono::{DateTime, NaiveDate, Utc};
use envelope::{DecodeError, EventPayload, Metadata, Personal, Position, RecordedEvent};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    Category, ClubEvent, ClubRegistered, Event, EventSchema, Holder, LicenseEvent, LicenseIssued,
    LicenseTypeFacts, OrderEvent, Role, aggregate_type,
};

fn issued() -> LicenseIssued {
    LicenseIssued {
        order_id: Uuid::nil(),
        order_number: "BL-00000-00000".into(),
        line: 1,
        customer_id: Uuid::nil(),
        license_type: LicenseTypeFacts {
            code: "konkurranse-bilcross".into(),
            category: Category::Competition,
            discipline: "bilcross".into(),
            role: Role::Driver,
            name_nb: "Bilcross".into(),
            name_en: "Bilcross".into(),
        },
        club_id: Uuid::nil(),
        club_name: "NMK Testby".into(),
        activity_date: NaiveDate::from_ymd_opt(2026, 6, 5).unwrap(),
        activity_days: 1,
        lifetime_cap: None,
        holder_id: Some(Uuid::nil()),
        holder: Holder {
            name: Personal::new("Kari Nordmann".into()),
            birth_date: Personal::new(NaiveDate::from_ymd_opt(1990, 5, 17).unwrap()),
            phone: Some(Personal::new("22 22 22 22".into())),
            email: None,
            guardian: None,
        },
        vehicle: None,
        price_ore: 42_000,
    }
}

fn recorded(kind: &str, name: &str, version: &str, payload: Box<RawValue>) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(1),
        aggregate_type: kind.into(),
        aggregate_id: Uuid::nil(),
        sequence: 1,
        event_type: name.into(),
        event_version: version.into(),
        payload,
        metadata: Metadata::default(),
        recorded_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    let event = LicenseEvent::from(issued());
    assert_eq!(EventPayload::event_type(&event), "LicenseIssued");
    let payload = event.encode().unwrap();
    let back = Event::read(&recorded(aggregate_type::LICENSE, "LicenseIssued", "2", payload)).unwrap();
    assert_eq!(back, [Event::License(event)]);
}

#[test]
fn a_payload_is_the_bare_struct_with_personal_data_marked() {
    let payload = LicenseEvent::from(issued()).encode().unwrap();
    let json: serde_json::Value = serde_json::from_str(payload.get()).unwrap();
    assert_eq!(
        json["holder"]["name"],
        serde_json::json!({"$clear": "Kari Nordmann"})
    );
    assert_eq!(json["license_type"]["category"], "competition");
    assert!(json["holder"].get("email").is_none());
}

#[test]
fn debug_of_an_event_shows_no_personal_data() {
    let shown = format!("{:?}", LicenseEvent::from(issued()));
    for secret in ["Kari", "1990", "22 22"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn an_unknown_type_or_version_is_an_error_that_names_it() {
    let payload = ClubEvent::from(ClubRegistered { name: "NMK".into() })
        .encode()
        .unwrap();
    for (kind, name, version) in [
        (aggregate_type::CLUB, "ClubRegistered", "0"),
        (aggregate_type::CLUB, "ClubDissolved", "1"),
        ("spaceship", "ClubRegistered", "1"),
    ] {
        let error = Event::read(&recorded(kind, name, version, payload.clone())).unwrap_err();
        assert_eq!(error, DecodeError::unknown(name, version));
    }
}

#[test]
fn a_malformed_payload_is_an_error_that_does_not_repeat_it() {
    let payload = r#"{"license_ids":["Kari Nordmann"]}"#;
    let error = OrderEvent::decode("OrderFulfilled", "1", payload).unwrap_err();
    assert!(matches!(error, DecodeError::Malformed { .. }), "{error}");
    assert!(!error.to_string().contains("Kari"), "{error}");
}

#[test]
fn what_is_written_is_neither_upcast_nor_merged() {
    let written: Vec<(&str, &str)> = EventSchema::all()
        .iter()
        .map(|event| (event.event_type, event.event_version))
        .collect();
    assert!(!written.is_empty());
    let upcast = OrderEvent::UPCASTERS
        .iter()
        .map(|upcaster| (upcaster.event_type, upcaster.event_version));
    let merged = OrderEvent::MERGERS
        .iter()
        .flat_map(|merger| [merger.first, merger.second]);
    for old in upcast.chain(merged) {
        assert!(!written.contains(&old), "{old:?}");
    }
    // One table holds the events of all aggregates, so their names are unique.
    let names: std::collections::BTreeSet<&str> = written.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), written.len());
}
