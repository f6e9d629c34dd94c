//! A snapshot shortens a load, and is never needed for what is right.

use envelope::Metadata;
use event_store::{CommandHandler, CommandRequest, SnapshotOptions};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Count, Counter, TestLog, eventually, key};

const SCHEMA_FINGERPRINT: &str = "counter-1";

fn command_handler(test: &TestLog, every: u64, schema_fingerprint: &str) -> CommandHandler {
    test.command_handler().with_snapshots(SnapshotOptions {
        every,
        schema_fingerprint: schema_fingerprint.into(),
    })
}

async fn count(command_handler: &CommandHandler, id: Uuid, by: i64) {
    let call = CommandRequest {
        aggregate_id: id,
        command: Count(by),
        key: key(Uuid::now_v7()),
        metadata: Metadata {
            correlation_id: Some("began".into()),
            ..Metadata::default()
        },
        expected_version: None,
        creates: false,
    };
    let respond = |_: &Counter, _| json!({});
    command_handler.execute::<Counter>(call, respond).await.unwrap();
}

async fn snapshot_at(test: &TestLog, id: Uuid, sequence: i64) {
    let client = test.client().await;
    eventually("a snapshot is written", async || {
        client
            .query_opt(
                "select from snapshots where aggregate_id = $1 and sequence = $2",
                &[&id, &sequence],
            )
            .await
            .unwrap()
    })
    .await;
}

/// A counter at 5, by five events, with a snapshot of all of them.
async fn with_snapshot() -> (TestLog, CommandHandler, Uuid) {
    let test = TestLog::new().await;
    let (command_handler, id) = (command_handler(&test, 5, SCHEMA_FINGERPRINT), Uuid::now_v7());
    for _ in 0..5 {
        count(&command_handler, id, 1).await;
    }
    snapshot_at(&test, id, 5).await;
    (test, command_handler, id)
}

/// Makes the snapshot say something that the events don't, so that it shows whether it was used.
async fn mark(test: &TestLog) {
    change(test, r#"update snapshots set state = '{"total":1005}'"#).await;
}

async fn change(test: &TestLog, sql: &str) {
    test.client().await.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_load_begins_with_the_snapshot_and_goes_on_after_it() {
    let (test, command_handler, id) = with_snapshot().await;
    mark(&test).await;
    count(&command_handler, id, 2).await;
    let loaded = command_handler.load::<Counter>(id).await.unwrap();
    assert_eq!((loaded.aggregate.total, loaded.version), (1007, 6));
    assert_eq!(loaded.correlation_id.as_deref(), Some("began"));
    // Who asks for none gets the events alone.
    let loaded = test.command_handler().load::<Counter>(id).await.unwrap();
    assert_eq!((loaded.aggregate.total, loaded.version), (7, 6));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_right_is_passed_over_and_replaced() {
    for made_unusable in [
        "update snapshots set shape = 'counter-0'",
        // Restored to an earlier point: another epoch of the log.
        "update log_head set epoch = gen_random_uuid()",
        // Beyond the events, as in a log that was restored without its snapshots.
        "update snapshots set sequence = 9, position = 9",
        "update snapshots set position = position + 1",
        "update snapshots set state = '{\"total\":'",
        "update snapshots set state = '{\"sum\":1005}'",
        "update snapshots set state = ''",
        "delete from snapshots",
    ] {
        let (test, command_handler, id) = with_snapshot().await;
        mark(&test).await;
        change(&test, made_unusable).await;
        let loaded = command_handler.load::<Counter>(id).await.unwrap();
        assert_eq!(
            (loaded.aggregate.total, loaded.version),
            (5, 5),
            "{made_unusable}"
        );
        assert_eq!(loaded.correlation_id.as_deref(), Some("began"), "{made_unusable}");
        count(&command_handler, id, 2).await;
        snapshot_at(&test, id, 6).await;
        mark_at(&test, 6).await;
        let loaded = command_handler.load::<Counter>(id).await.unwrap();
        assert_eq!(
            (loaded.aggregate.total, loaded.version),
            (1006, 6),
            "{made_unusable}"
        );
    }
}

async fn mark_at(test: &TestLog, sequence: i64) {
    change(
        test,
        &format!(r#"update snapshots set state = '{{"total":1006}}' where sequence = {sequence}"#),
    )
    .await;
}

#[tokio::test]
async fn an_older_snapshot_does_not_replace_a_newer_one() {
    let (test, command_handler, id) = with_snapshot().await;
    // As if another instance, slower than this one, had yet to write its own.
    change(
        &test,
        "create function older() returns trigger language plpgsql as $$
         begin
             new.sequence := 2; new.position := 2; new.state := '{\"total\":1002}';
             return new;
         end $$;
         create trigger older before insert on snapshots for each row execute function older()",
    )
    .await;
    for _ in 0..5 {
        count(&command_handler, id, 1).await;
    }
    // A second aggregate's snapshot, written after it.
    let other = Uuid::now_v7();
    for _ in 0..5 {
        count(&command_handler, other, 1).await;
    }
    snapshot_at(&test, other, 2).await;
    let loaded = command_handler.load::<Counter>(id).await.unwrap();
    assert_eq!((loaded.aggregate.total, loaded.version), (10, 10));
}

#[tokio::test]
async fn commands_do_not_wait_for_snapshots_nor_fail_with_them() {
    let test = TestLog::new().await;
    let command_handler = command_handler(&test, 1, SCHEMA_FINGERPRINT);
    let ids: Vec<Uuid> = (0..400).map(|_| Uuid::now_v7()).collect();
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    // May be read, not written.
    held.batch_execute("lock table snapshots in exclusive mode")
        .await
        .unwrap();
    join_all(ids.iter().map(|id| count(&command_handler, *id, 1))).await;
    assert_eq!(test.log.head().await.unwrap().position.get(), 400);
    held.rollback().await.unwrap();
    let client = test.client().await;
    // More than the queue holds were taken: those were dropped.
    let written = eventually("what waited is written", async || {
        let row = client
            .query_one("select count(*) from snapshots", &[])
            .await
            .unwrap();
        let count: i64 = row.get(0);
        (count >= 256).then_some(count)
    })
    .await;
    assert!(written < 400, "{written}");
    change(
        &test,
        "create trigger refused before insert on snapshots for each statement execute function refuse_change()",
    )
    .await;
    join_all(ids.iter().map(|id| count(&command_handler, *id, 1))).await;
    for loaded in join_all(ids.iter().map(|id| command_handler.load::<Counter>(*id))).await {
        assert_eq!(loaded.unwrap().aggregate.total, 2);
    }
}
