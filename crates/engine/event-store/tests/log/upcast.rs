//! Older versions are read as what they became, and the count of what is stored stays right.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent, EventStore};
use envelope::{DecodeError, EventPayload, Facts, Merger, Metadata, Upcaster};
use event_store::{
    Append, AppenderOptions, Claims, CommandHandler, CommandRequest, LoaderOptions, NewEvent, SnapshotOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::support::{TestLog, eventually, key};

/// Remembers every event it applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Diary {
    entries: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Written(String);

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Aggregate for Diary {
    const TYPE: &'static str = "diary";
    type Command = String;
    type Event = Written;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, entry: String, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        sink.write(Written(entry), self).await;
        Ok(())
    }

    fn apply(&mut self, Written(entry): Written) {
        self.entries.push(entry);
    }
}

impl DomainEvent for Written {
    fn event_type(&self) -> String {
        "Written".into()
    }

    fn event_version(&self) -> String {
        "2".into()
    }
}

fn written(entry: &str) -> Facts<'static> {
    Facts {
        event_type: "Written".into(),
        event_version: "2".into(),
        payload: json!(entry).to_string().into(),
    }
}

/// `Written` 1 held all entries of a day; `Blank` meant nothing; `Begun` and `Ended` became one entry.
impl EventPayload for Written {
    const UPCASTERS: &'static [Upcaster] = &[
        Upcaster {
            event_type: "Written",
            event_version: "1",
            upcast: |payload| {
                let entries: Vec<String> = serde_json::from_str(payload)?;
                Ok(entries.iter().map(|entry| written(entry)).collect())
            },
        },
        Upcaster {
            event_type: "Blank",
            event_version: "1",
            upcast: |_| Ok(vec![]),
        },
        Upcaster {
            event_type: "Begun",
            event_version: "1",
            upcast: |payload| Ok(vec![written(&format!("begun {payload}"))]),
        },
        Upcaster {
            event_type: "Ended",
            event_version: "1",
            upcast: |payload| Ok(vec![written(&format!("ended {payload}"))]),
        },
    ];
    const MERGERS: &'static [Merger] = &[Merger {
        first: ("Begun", "1"),
        second: ("Ended", "1"),
        merge: |first, second| Ok(Some(written(&format!("{first} to {second}")))),
    }];

    fn event_type(&self) -> &'static str {
        "Written"
    }

    fn event_version(&self) -> &'static str {
        "2"
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(&self.0)
    }

    fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Self, DecodeError> {
        if (event_type, event_version) != ("Written", "2") {
            return Err(DecodeError::unknown(event_type, event_version));
        }
        serde_json::from_str(payload)
            .map(Self)
            .map_err(|error| DecodeError::malformed(event_type, event_version, &error))
    }
}

/// Records what older builds wrote.
async fn record(test: &TestLog, id: Uuid, recorded: &[(&'static str, &'static str, &str)]) {
    let events = (1..)
        .zip(recorded)
        .map(|(sequence, (event_type, event_version, payload))| NewEvent {
            aggregate_type: Diary::TYPE.into(),
            aggregate_id: id,
            sequence,
            event_type: (*event_type).into(),
            event_version: (*event_version).into(),
            payload: RawValue::from_string((*payload).to_owned()).unwrap(),
        });
    let append = Append {
        key: key(id),
        response: "{}".into(),
        events: events.collect(),
        claims: Claims::default(),
        metadata: Metadata::default(),
    };
    test.appender(AppenderOptions::default())
        .append(append)
        .await
        .unwrap();
}

const OLD: &[(&str, &str, &str)] = &[
    ("Blank", "1", "{}"),
    ("Written", "1", r#"["a","b"]"#),
    ("Begun", "1", "1"),
    ("Ended", "1", "2"),
    ("Begun", "1", "3"),
    ("Written", "2", r#""c""#),
    ("Ended", "1", "4"),
    ("Begun", "1", "5"),
    ("Ended", "1", "6"),
    ("Blank", "1", "{}"),
];
const READ: &[&str] = &["a", "b", "1 to 2", "begun 3", "c", "ended 4", "5 to 6"];

async fn write(command_handler: &CommandHandler, id: Uuid, entry: &str) -> String {
    let call = CommandRequest {
        aggregate_id: id,
        command: entry.to_owned(),
        key: key(Uuid::now_v7()),
        metadata: Metadata::default(),
        expected_version: None,
        creates: false,
    };
    let respond = |_: &Diary, version| json!({"version": version});
    command_handler
        .execute::<Diary>(call, respond)
        .await
        .unwrap()
        .body
}

#[tokio::test]
async fn old_versions_are_read_as_what_they_became_and_the_version_counts_what_is_stored() {
    let test = TestLog::new().await;
    let id = Uuid::now_v7();
    record(&test, id, OLD).await;
    for max_events in 1..=11 {
        let options = LoaderOptions {
            max_events,
            ..LoaderOptions::default()
        };
        let appender = test.appender(AppenderOptions::default());
        let command_handler = CommandHandler::new(test.log.clone(), test.loader(options), appender);
        let loaded = command_handler.load::<Diary>(id).await.unwrap();
        assert_eq!(loaded.aggregate.entries, READ, "{max_events} a page");
        assert_eq!(loaded.version, 10, "though its last event is dropped");
    }
    assert_eq!(
        write(&test.command_handler(), id, "d").await,
        r#"{"version":11,"position":11}"#
    );
}

/// A projection gets each on its own: what became one is two to it.
#[tokio::test]
async fn one_by_one_events_are_read_without_their_successors() {
    let test = TestLog::new().await;
    let id = Uuid::now_v7();
    record(&test, id, OLD).await;
    let mut read = Vec::new();
    for event in test.log.load(Diary::TYPE, id, 0).await.unwrap() {
        let events = Written::read(&event.event_type, &event.event_version, event.payload.get()).unwrap();
        read.push(events.into_iter().map(|Written(entry)| entry).collect::<Vec<_>>());
    }
    let expected: [&[&str]; 10] = [
        &[],
        &["a", "b"],
        &["begun 1"],
        &["ended 2"],
        &["begun 3"],
        &["c"],
        &["ended 4"],
        &["begun 5"],
        &["ended 6"],
        &[],
    ];
    assert_eq!(read, expected);
}

#[tokio::test]
async fn snapshots_end_with_an_event_of_today_and_hold_what_was_read_before() {
    let test = TestLog::new().await;
    let command_handler = test.command_handler().with_snapshots(SnapshotOptions {
        every: 1,
        schema_fingerprint: "diary".into(),
    });
    let id = Uuid::now_v7();
    record(&test, id, OLD).await;
    write(&command_handler, id, "d").await;
    let client = test.client().await;
    eventually("a snapshot is written", async || {
        let written = "select from snapshots where sequence = 11";
        client.query_opt(written, &[]).await.unwrap()
    })
    .await;
    client
        .execute(
            "update snapshots set state = replace(state, '\"a\"', '\"A\"')",
            &[],
        )
        .await
        .unwrap();
    let loaded = command_handler.load::<Diary>(id).await.unwrap();
    let entries: Vec<&str> = ["A"]
        .into_iter()
        .chain(READ[1..].iter().copied())
        .chain(["d"])
        .collect();
    assert_eq!(
        (loaded.aggregate.entries, loaded.version),
        (entries.iter().map(|entry| (*entry).to_owned()).collect(), 11)
    );
}

#[tokio::test]
async fn cqrs_es_reads_them_too() {
    let test = TestLog::new().await;
    let id = Uuid::now_v7();
    record(&test, id, OLD).await;
    let events = EventStore::<Diary>::load_events(&test.command_handler(), &id.to_string())
        .await
        .unwrap();
    let entries: Vec<&str> = events.iter().map(|event| event.payload.0.as_str()).collect();
    assert_eq!(entries, READ);
}
