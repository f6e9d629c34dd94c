//! A history: recorded with its own times, once, and in the way of nothing that comes after it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use envelope::{Metadata, Personal, Position};
use event_store::{
    Append, AppenderOptions, Claim, Claims, EventData, ImportError, Importer, NewEvent, Past, Release, Tasks,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{TestLog, key, pool};
use crate::vault::Sealed;

const PROCESS: &str = "shipping";

/// Days after the history's first one.
fn day(number: i64) -> DateTime<Utc> {
    "2016-10-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(number)
}

fn opened(account: Uuid, sequence: u64) -> NewEvent {
    NewEvent {
        aggregate_type: "account".into(),
        aggregate_id: account,
        sequence,
        event_type: "Opened".into(),
        event_version: "1".into(),
        payload: serde_json::value::to_raw_value(&json!({"sequence": sequence})).unwrap(),
    }
}

fn past(at: DateTime<Utc>, events: Vec<NewEvent>) -> Past {
    Past {
        at,
        events,
        claims: Claims::default(),
        metadata: Metadata::default(),
    }
}

fn take(at: DateTime<Utc>, owner: Uuid, claim: Claim) -> Past {
    let take = vec![claim];
    Past {
        claims: Claims {
            take,
            ..Claims::default()
        },
        ..past(at, vec![opened(owner, 1)])
    }
}

async fn importer(test: &TestLog) -> Importer {
    Importer::start(&test.url, None, &[PROCESS]).await.unwrap()
}

/// What the log says to one batch.
async fn import(test: &TestLog, batch: Vec<Past>) -> Result<Position, ImportError> {
    let mut importer = importer(test).await;
    importer.record(batch).await?;
    importer.finish().await
}

#[track_caller]
fn refused(outcome: Result<Position, ImportError>, why: &str) {
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn events_keep_their_times_and_what_is_appended_comes_behind_them() {
    let (test, account) = (TestLog::new().await, Uuid::now_v7());
    let mut importer = importer(&test).await;
    for number in 0..20 {
        let sequence = u64::try_from(number).unwrap() + 1;
        importer
            .record(vec![past(day(number), vec![opened(account, sequence)])])
            .await
            .unwrap();
    }
    assert_eq!(importer.finish().await.unwrap(), Position::new(20));
    assert_eq!(importer.recorded(), Position::new(20));
    let next = EventData::json("Opened", &json!({})).unwrap();
    let append = Append::new(key("next")).events("account", account, 20, [next]);
    let appender = test.appender(AppenderOptions::default());
    assert_eq!(appender.append(append).await.unwrap().position, Position::new(21));

    let events = test.log.read_after(Position::START, 100).await.unwrap();
    let times: Vec<_> = events.iter().map(|event| event.recorded_at).collect();
    assert_eq!(times[..20], (0..20).map(day).collect::<Vec<_>>());
    assert!(times[20] > Utc::now() - TimeDelta::minutes(5));
    // Who follows the log finds a history that is whole.
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=21).collect::<Vec<_>>());
}

#[tokio::test]
async fn times_go_neither_back_nor_ahead() {
    let (test, id) = (TestLog::new().await, Uuid::now_v7);
    import(&test, vec![past(day(5), vec![opened(id(), 1)])])
        .await
        .unwrap();
    let back = vec![past(day(4), vec![opened(id(), 1)])];
    refused(import(&test, back).await, "times go back");
    let back = vec![
        past(day(6), vec![opened(id(), 1)]),
        past(day(5), vec![opened(id(), 1)]),
    ];
    refused(import(&test, back).await, "times go back");
    let ahead = vec![past(Utc::now() + TimeDelta::hours(1), vec![opened(id(), 1)])];
    refused(import(&test, ahead).await, "ahead of the clock");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
    import(&test, vec![past(day(5), vec![opened(id(), 1)])])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_part_is_recorded_only_behind_the_head_it_was_made_for() {
    let (test, id) = (TestLog::new().await, Uuid::now_v7);
    let (mut one, mut other) = (importer(&test).await, importer(&test).await);
    one.record(vec![past(day(0), vec![opened(id(), 1)])])
        .await
        .unwrap();
    one.finish().await.unwrap();
    other
        .record(vec![past(day(1), vec![opened(id(), 1)])])
        .await
        .unwrap();
    refused(other.finish().await, "does not end at position 0");
    let gap = vec![past(day(1), vec![opened(id(), 2)])];
    refused(import(&test, gap).await, "does not follow");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
}

#[tokio::test]
async fn nothing_is_planned_for_a_history_and_nothing_before_it_is_skipped() {
    let (test, id) = (TestLog::new().await, Uuid::now_v7);
    import(&test, vec![past(day(0), vec![opened(id(), 1)])])
        .await
        .unwrap();
    import(&test, vec![past(day(1), vec![opened(id(), 1)])])
        .await
        .unwrap();
    let tasks = Tasks::new(pool(&test.url), PROCESS);
    let reached = tasks.reached().await.unwrap();
    assert_eq!(reached.mark.position, Position::new(2));
    assert_eq!(reached.mark.fingerprint, None, "of the event before");

    let event = EventData::json("Opened", &json!({})).unwrap();
    let append = Append::new(key("not planned")).events("account", id(), 0, [event]);
    test.appender(AppenderOptions::default())
        .append(append)
        .await
        .unwrap();
    let behind = vec![past(Utc::now(), vec![opened(id(), 1)])];
    refused(import(&test, behind).await, "has not read the log");
}

#[tokio::test]
async fn claims_are_those_that_are_held_at_the_end() {
    let (test, id) = (TestLog::new().await, Uuid::now_v7);
    let [first, second, third] = [id(), id(), id()];
    let unique = |owner| Claim::unique("name", "taken", owner);
    let freed = Past {
        claims: Claims {
            release: vec![Release::All(first)],
            ..Claims::default()
        },
        ..past(day(1), vec![opened(first, 2)])
    };
    // Taken, given up, and taken by another one: in one part of the history.
    import(
        &test,
        vec![
            take(day(0), first, unique(first)),
            freed,
            take(day(2), second, unique(second)),
        ],
    )
    .await
    .unwrap();
    let owners = |key: &str| {
        let (log, keys) = (test.log.clone(), [key.to_owned()]);
        async move { log.claim_owners("name", &keys).await.unwrap().remove(&keys[0]) }
    };
    assert_eq!(owners("taken").await, Some(vec![second]));
    assert_eq!(
        test.log.claimed_at("name", "taken").await.unwrap(),
        Some(Position::new(3))
    );
    refused(
        import(&test, vec![take(day(3), third, unique(third))]).await,
        "held by others",
    );

    let counted = |owner| Claim::counted("name", "twice", owner, 2);
    let [one, other, more] = [id(), id(), id()];
    import(
        &test,
        vec![
            take(day(3), one, counted(one)),
            take(day(3), other, counted(other)),
        ],
    )
    .await
    .unwrap();
    assert_eq!(owners("twice").await, Some(vec![one, other]));
    refused(
        import(&test, vec![take(day(4), more, counted(more))]).await,
        "held by others",
    );
    assert_eq!(test.log.head().await.unwrap().position, Position::new(5));
}

#[tokio::test]
async fn personal_data_of_a_history_is_sealed_and_opened_as_any() {
    let sealed = Sealed::new().await;
    let vault = Arc::clone(&sealed.vault);
    let (test, account, person) = (&sealed.test, Uuid::now_v7(), Uuid::now_v7());
    let called = |sequence, name: &str| NewEvent {
        payload: serde_json::value::to_raw_value(&json!({"name": Personal::of(person, name.to_owned())}))
            .unwrap(),
        ..opened(account, sequence)
    };
    let mut importer = Importer::start(&test.url, Some(Arc::clone(&vault)), &[])
        .await
        .unwrap();
    let first = past(
        day(0),
        vec![opened(Uuid::now_v7(), 1), called(1, "Kari Nordmann")],
    );
    importer
        .record(vec![first, past(day(1), vec![called(2, "Kari Hansen")])])
        .await
        .unwrap();
    importer.finish().await.unwrap();
    let log = test.log.clone().with_vault(vault);
    let events = log.read_after(Position::START, 10).await.unwrap();
    assert!(events.iter().all(|event| !event.payload.get().contains("Kari")));
    let opened = log.open(events).await.unwrap();
    let names: Vec<_> = opened.events()[1..]
        .iter()
        .map(|event| event.payload.get())
        .collect();
    assert!(
        names[0].contains("Kari Nordmann") && names[1].contains("Kari Hansen"),
        "{names:?}"
    );
}
