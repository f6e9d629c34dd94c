use serde_json::value::RawValue;

use super::{Facts, Run};
use crate::{DecodeError, EventPayload, Merger, Upcaster};

/// Written today: `Moved` version 3. `Moved` 1 was in meters, `Moved` 2 had both ways in one, `Stepped` 1 came in
/// pairs, `Blinked` 1 means nothing any more, and `Circled` 1 is a mistake.
#[derive(Debug, PartialEq)]
struct Moved(i64);

fn moved(version: &'static str, payload: String) -> Facts<'static> {
    Facts {
        event_type: "Moved".into(),
        event_version: version.into(),
        payload: payload.into(),
    }
}

impl EventPayload for Moved {
    const UPCASTERS: &'static [Upcaster] = &[
        Upcaster {
            event_type: "Moved",
            event_version: "1",
            upcast: |payload| {
                let meters: i64 = serde_json::from_str(payload)?;
                Ok(vec![moved("2", format!("[{},0]", meters * 100))])
            },
        },
        Upcaster {
            event_type: "Moved",
            event_version: "2",
            upcast: |payload| {
                let ways: [i64; 2] = serde_json::from_str(payload)?;
                Ok(ways
                    .into_iter()
                    .filter(|way| *way != 0)
                    .map(|way| moved("3", way.to_string()))
                    .collect())
            },
        },
        Upcaster {
            event_type: "Stepped",
            event_version: "1",
            upcast: |payload| Ok(vec![moved("3", payload.into())]),
        },
        Upcaster {
            event_type: "Blinked",
            event_version: "1",
            upcast: |_| Ok(vec![]),
        },
        Upcaster {
            event_type: "Circled",
            event_version: "1",
            upcast: |payload| {
                Ok(vec![Facts {
                    event_type: "Circled".into(),
                    ..moved("1", payload.into())
                }])
            },
        },
    ];
    const MERGERS: &'static [Merger] = &[Merger {
        first: ("Stepped", "1"),
        second: ("Stepped", "1"),
        merge: |first, second| {
            let (first, second): (i64, i64) = (serde_json::from_str(first)?, serde_json::from_str(second)?);
            Ok((first.signum() == second.signum()).then(|| Facts {
                event_type: "Stepped".into(),
                ..moved("1", (first + second).to_string())
            }))
        },
    }];

    fn event_type(&self) -> &'static str {
        "Moved"
    }

    fn event_version(&self) -> &'static str {
        "3"
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(&self.0)
    }

    fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Self, DecodeError> {
        if (event_type, event_version) != ("Moved", "3") {
            return Err(DecodeError::unknown(event_type, event_version));
        }
        serde_json::from_str(payload)
            .map(Self)
            .map_err(|error| DecodeError::malformed(event_type, event_version, &error))
    }
}

fn one(event_type: &str, event_version: &str, payload: &str) -> Result<Vec<i64>, DecodeError> {
    let read = Moved::read(event_type, event_version, payload)?;
    Ok(read.into_iter().map(|Moved(by)| by).collect())
}

fn run(recorded: &[(&str, &str, &str)]) -> Result<Vec<i64>, DecodeError> {
    let (mut run, mut read) = (Run::default(), Vec::new());
    for (event_type, event_version, payload) in recorded {
        run.push(
            Facts::recorded(event_type, event_version, payload),
            |Moved(by)| read.push(by),
        )?;
    }
    run.finish(|Moved(by)| read.push(by))?;
    Ok(read)
}

#[test]
fn one_event_becomes_one_several_or_none() {
    assert_eq!(one("Moved", "3", "7"), Ok(vec![7]));
    assert_eq!(one("Moved", "2", "[7,-3]"), Ok(vec![7, -3]));
    assert_eq!(one("Moved", "1", "7"), Ok(vec![700]), "by way of version 2");
    assert_eq!(one("Moved", "1", "0"), Ok(vec![]));
    assert_eq!(one("Blinked", "1", "{}"), Ok(vec![]));
    assert_eq!(
        one("Stepped", "1", "2"),
        Ok(vec![2]),
        "readable without the other"
    );
}

#[test]
fn in_a_run_events_that_belong_together_become_one() {
    let step = |by| ("Stepped", "1", by);
    assert_eq!(run(&[step("1"), step("2"), step("3")]), Ok(vec![6]));
    assert_eq!(
        run(&[step("1"), step("-2"), step("-3")]),
        Ok(vec![1, -5]),
        "only those"
    );
    assert_eq!(
        run(&[step("1"), ("Moved", "2", "[5,6]"), step("2")]),
        Ok(vec![1, 5, 6, 2]),
        "in their order"
    );
    assert_eq!(
        run(&[step("1"), ("Blinked", "1", "{}"), step("2")]),
        Ok(vec![1, 2]),
        "only neighbors"
    );
    assert_eq!(run(&[]), Ok(vec![]));
}

#[test]
fn what_an_upcaster_cannot_read_is_malformed_and_not_repeated() {
    for malformed in [
        one("Moved", "1", r#""Kari""#),
        run(&[("Stepped", "1", "1"), ("Stepped", "1", r#""Kari""#)]),
    ] {
        let error = malformed.unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("Kari"), "{error}");
    }
    assert_eq!(
        one("Moved", "4", "1"),
        Err(DecodeError::unknown("Moved", "4")),
        "of a future build"
    );
}

#[test]
fn a_circle_of_upcasters_is_an_error_and_no_hang() {
    assert_eq!(
        one("Circled", "1", "1"),
        Err(DecodeError::unknown("Circled", "1"))
    );
}
