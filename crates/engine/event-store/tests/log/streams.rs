//! Streams without aggregates: versions, appends at any version, conflicts, and reads in both directions.

use std::pin::pin;

use envelope::{Position, RecordedEvent};
use event_store::{
    Append, AppendError, AppenderOptions, EventData, IdempotencyKey, SubscriptionError, VersionConflict,
};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::TestLog;

const KIND: &str = "meter";

/// `count` events for a stream that is at version `expected`.
fn readings(id: Uuid, expected: u64, count: u64) -> Append {
    let events = (1..=count).map(|number| EventData::json("Read", &json!({"value": number})).unwrap());
    Append::new(IdempotencyKey::unique()).events(KIND, id, expected, events)
}

fn sequences(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}

fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

#[tokio::test]
async fn an_expected_version_is_held_and_a_conflict_names_stream_and_both_versions() {
    let test = TestLog::new().await;
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    assert_eq!(test.log.version(KIND, id).await.unwrap(), 0);
    appender.append(readings(id, 0, 3)).await.unwrap();
    assert_eq!(test.log.version(KIND, id).await.unwrap(), 3);
    for expected in [0, 2, 4] {
        let refused = appender.append(readings(id, expected, 2)).await;
        let conflict = VersionConflict {
            aggregate_type: KIND.into(),
            aggregate_id: id,
            expected,
            actual: 3,
        };
        assert_eq!(refused, Err(AppendError::Conflict(conflict)));
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("meter {id} is at version 3, expected {expected}")
        );
    }
    appender.append(readings(id, 3, 1)).await.unwrap();
    assert_eq!(test.log.version(KIND, id).await.unwrap(), 4);
}

#[tokio::test]
async fn events_at_any_version_go_behind_the_last_one_also_when_many_do_so_at_once() {
    let test = TestLog::new().await;
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    let other = Uuid::now_v7();
    appender.append(readings(other, 0, 2)).await.unwrap();
    let appends = (0..20).map(|_| {
        // Two streams in one command.
        let both = readings(id, 0, 2).events(KIND, other, 0, [EventData::json("Read", &json!({})).unwrap()]);
        appender.append_at_any_version(&test.log, both)
    });
    for appended in join_all(appends).await {
        assert!(!appended.unwrap().replayed);
    }
    let events = test.log.load(KIND, id, 0).await.unwrap();
    assert_eq!(sequences(&events), (1..=40).collect::<Vec<u64>>());
    assert_eq!(test.log.version(KIND, other).await.unwrap(), 22);
    // A key that was used gets its first answer, whatever the version is now.
    let append = readings(id, 0, 1);
    let first = appender
        .append_at_any_version(&test.log, append.clone())
        .await
        .unwrap();
    let again = appender.append_at_any_version(&test.log, append).await.unwrap();
    assert_eq!((again.replayed, again.position), (true, first.position));
}

#[tokio::test]
async fn stream_and_log_are_read_in_both_directions_within_bounds() {
    let test = TestLog::new().await;
    let (appender, [a, b]) = (
        test.appender(AppenderOptions::default()),
        [Uuid::now_v7(), Uuid::now_v7()],
    );
    for round in 0..5 {
        appender.append(readings(a, round, 1)).await.unwrap();
        appender.append(readings(b, round, 1)).await.unwrap();
    }
    let log = &test.log;
    assert_eq!(
        sequences(&log.read_stream(KIND, b, 1, 3).await.unwrap()),
        [2, 3, 4]
    );
    assert_eq!(
        sequences(&log.read_stream_back(KIND, b, None, 2).await.unwrap()),
        [5, 4]
    );
    assert_eq!(
        sequences(&log.read_stream_back(KIND, b, Some(4), 100).await.unwrap()),
        [3, 2, 1]
    );
    let none = log.read_stream_back(KIND, b, Some(1), 9).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(positions(&log.read_back(None, 3).await.unwrap()), [10, 9, 8]);
    let before = Some(Position::new(4));
    assert_eq!(positions(&log.read_back(before, 100).await.unwrap()), [3, 2, 1]);
    let between = |after, through| {
        log.events_between(Position::new(after), Position::new(through))
            .try_collect::<Vec<_>>()
    };
    assert_eq!(positions(&between(2, 5).await.unwrap()), [3, 4, 5]);
    assert_eq!(positions(&between(8, 100).await.unwrap()), [9, 10]);
    assert!(between(5, 5).await.unwrap().is_empty());

    // A hole is an error in each of them.
    let client = test.client().await;
    let hole = "alter table events disable trigger all; delete from events where position = 5";
    client.batch_execute(hole).await.unwrap();
    assert!(
        log.read_back(None, 100)
            .await
            .unwrap_err()
            .to_string()
            .contains("position 5")
    );
    let stream = log.read_stream_back(KIND, a, None, 100).await.unwrap_err();
    assert!(stream.to_string().contains("sequence 3"), "{stream}");
    assert!(between(2, 8).await.is_err());
}

#[tokio::test]
async fn a_subscription_follows_the_log_alone_and_continues_at_its_mark() {
    let test = TestLog::new().await;
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    appender.append(readings(id, 0, 7)).await.unwrap();
    let shutdown = CancellationToken::new();
    let start = |after| {
        event_store::LogSubscription::start(test.log.clone(), &test.url, after, shutdown.clone()).unwrap()
    };
    let mut subscription = start(envelope::Mark::START);
    assert_eq!(
        positions(&subscription.next_batch(5).await.unwrap()),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(positions(&subscription.next_batch(5).await.unwrap()), [6, 7]);
    // A notification wakes it long before the interval ends.
    let mut waiting = subscription.polling(std::time::Duration::from_mins(1));
    {
        let mut next = pin!(waiting.next_batch(5));
        assert!(futures_util::poll!(&mut next).is_pending());
        appender.append(readings(id, 7, 2)).await.unwrap();
        assert_eq!(positions(&next.await.unwrap()), [8, 9]);
    }
    let (mark, epoch) = (waiting.mark(), waiting.epoch().unwrap());
    appender.append(readings(id, 9, 1)).await.unwrap();
    let mut continued = start(mark).in_epoch(epoch);
    assert_eq!(positions(&continued.next_batch(5).await.unwrap()), [10]);

    // Another event at its mark, and another epoch, are errors and no events.
    let client = test.client().await;
    let change =
        "alter table events disable trigger all; update events set payload = '{}' where position = 9";
    client.batch_execute(change).await.unwrap();
    let contradicted = start(mark).in_epoch(epoch).next_batch(5).await;
    assert!(
        matches!(contradicted, Err(SubscriptionError::Contradicted(_))),
        "{contradicted:?}"
    );
    test.log.begin_epoch(epoch, "a test").await.unwrap().unwrap();
    let changed = continued.next_batch(5).await;
    assert!(
        matches!(changed, Err(SubscriptionError::EpochChanged { expected, .. }) if expected == epoch),
        "{changed:?}"
    );
    shutdown.cancel();
    let all = test.log.events_after(Position::START).count().await;
    assert_eq!(all, 10);
}
