use super::*;

fn seen(position: u64) -> State {
    State {
        seen: Seen {
            position,
            ..Seen::default()
        },
        tables: Some(Tables {
            id: Uuid::from_u128(1),
            versions: Arc::default(),
        }),
        looked: None,
    }
}

fn payload(position: u64, collection: &str, version: u128) -> String {
    format!(r#"{position} {{"{collection}": "{}"}}"#, Uuid::from_u128(version))
}

/// Nil before the first change; nothing while it is not known.
fn version(seen: &State, collection: &str) -> Option<Uuid> {
    let tables = seen.tables.as_ref()?;
    Some(tables.versions.get(collection).copied().unwrap_or_default())
}

#[test]
fn position_and_versions_move_together() {
    let mut seen = seen(5);
    assert!(!seen.note(Note::read(&payload(6, "notes", 7))));
    assert_eq!(
        (seen.seen.position, version(&seen, "notes")),
        (6, Some(Uuid::from_u128(7)))
    );
    assert!(!seen.note(Note::read("7")));
    assert_eq!(
        (seen.seen.position, version(&seen, "notes")),
        (7, Some(Uuid::from_u128(7)))
    );
}

#[test]
fn what_does_not_follow_makes_the_versions_unknown() {
    let replaced = ["replaced", "marked", "", "8 no", "8 {\"notes\": 1}", "-1"];
    let replaced = replaced.map(str::to_owned).into_iter();
    // A change of rows behind the checkpoint, or one that the last look may have seen.
    for payload in replaced.chain([payload(5, "notes", 7), payload(4, "notes", 7)]) {
        let mut seen = seen(5);
        assert!(seen.note(Note::read(&payload)), "{payload}");
        assert_eq!(
            (seen.seen.position, version(&seen, "notes")),
            (5, None),
            "{payload}"
        );
        // Only a look makes them known again.
        assert!(!seen.note(Note::read("9")));
        assert_eq!(
            (seen.seen.position, version(&seen, "notes")),
            (9, None),
            "{payload}"
        );
    }
}

#[test]
fn a_notification_older_than_the_last_look_changes_nothing() {
    let mut seen = seen(5);
    for old in ["5", "4", "0"] {
        assert!(!seen.note(Note::read(old)));
        assert_eq!(
            (seen.seen.position, version(&seen, "notes")),
            (5, Some(Uuid::nil()))
        );
    }
}
