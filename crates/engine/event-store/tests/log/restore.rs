//! The log restored to an earlier point, from a base backup and archived WAL as an operator would.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use envelope::{Metadata, Position};
use event_store::seal::{Error, SealKey, Sealer, SealerOptions, verify};
use event_store::{AppenderOptions, CommandHandler, CommandRequest, SnapshotOptions};
use serde_json::json;
use stack::Postgres;
use uuid::Uuid;

use crate::support::{Count, Counter, TestLog, append, eventually, key, pool};

async fn count(command_handler: &CommandHandler, id: Uuid, name: &str) {
    let call = CommandRequest {
        aggregate_id: id,
        command: Count(1),
        key: key(name),
        metadata: Metadata::default(),
        expected_version: None,
        creates: false,
    };
    let respond = |_: &Counter, _| json!({});
    command_handler.execute::<Counter>(call, respond).await.unwrap();
}

/// Wherever the connections of before have gone.
async fn head_again(test: &TestLog) -> envelope::LogHead {
    eventually("the log answers", async || test.log.head().await.ok()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_log_begins_a_new_life_and_nothing_of_the_old_one_is_believed() {
    let postgres = Postgres::temporary(&[("archive_mode", "on")]).await.unwrap();
    let archive = postgres.archive().await.unwrap();
    let test = TestLog::on(&postgres).await;
    let command_handler = test.command_handler().with_snapshots(SnapshotOptions {
        every: 1,
        schema_fingerprint: "counter".into(),
    });
    let id = Uuid::now_v7();
    for name in ["1", "2", "3"] {
        count(&command_handler, id, name).await;
    }
    let backup = postgres.base_backup("backup").await.unwrap();
    for name in ["4", "5"] {
        count(&command_handler, id, name).await;
    }
    snapshot_at(&test, 5).await;
    postgres.restore_point("kept", &archive).await.unwrap();
    for name in ["6", "7"] {
        count(&command_handler, id, name).await;
    }
    snapshot_at(&test, 7).await;
    let before = test.log.head().await.unwrap();
    postgres.restore(&backup, &archive, "kept").await.unwrap();

    let restored = head_again(&test).await;
    assert_eq!(
        (restored.position, restored.epoch),
        (Position::new(5), before.epoch)
    );
    // What a reader may have made of the old epoch.
    let client = test.client().await;
    client
        .batch_execute(r#"update snapshots set state = '{"total":1005}'"#)
        .await
        .unwrap();
    assert_eq!(
        command_handler.load::<Counter>(id).await.unwrap().aggregate.total,
        1005,
        "in the same life"
    );
    let begun = test
        .log
        .begin_epoch(before.epoch, "restored to Tuesday")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(begun.position, Position::new(5));
    assert_eq!(test.log.head().await.unwrap(), begun);
    assert_eq!(
        test.log.begin_epoch(before.epoch, "again").await.unwrap(),
        None,
        "once"
    );
    let lives: Vec<(Uuid, u64, String)> = test
        .log
        .epochs()
        .await
        .unwrap()
        .into_iter()
        .map(|life| (life.id, life.after.get(), life.reason))
        .collect();
    let expected = [
        (before.epoch, 0, "the log began".to_owned()),
        (begun.epoch, 5, "restored to Tuesday".to_owned()),
    ];
    assert_eq!(lives, expected);
    let loaded = command_handler.load::<Counter>(id).await.unwrap();
    assert_eq!((loaded.aggregate.total, loaded.version), (5, 5));
    // A key of a command that is gone is as good as new, one of a command that is there is not.
    count(&command_handler, id, "6").await;
    count(&command_handler, id, "5").await;
    let loaded = command_handler.load::<Counter>(id).await.unwrap();
    assert_eq!((loaded.aggregate.total, loaded.version), (6, 6));
    postgres.server().stop().await.unwrap();
}

async fn snapshot_at(test: &TestLog, sequence: i64) {
    let client = test.client().await;
    eventually("a snapshot is written", async || {
        let written = "select from snapshots where sequence = $1";
        client.query_opt(written, &[&sequence]).await.unwrap()
    })
    .await;
}

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seals_stop_at_a_restored_log_until_somebody_says_so_and_then_explain_the_cut() {
    let postgres = Postgres::temporary(&[("archive_mode", "on")]).await.unwrap();
    let archive = postgres.archive().await.unwrap();
    let test = TestLog::on(&postgres).await;
    let dir = Dir(std::env::temp_dir().join(format!("restored-seals-{}", Uuid::new_v4())));
    std::fs::create_dir(&dir.0).unwrap();
    let file = dir.0.join("seals.jsonl");
    let key_of_seals = Arc::new(SealKey::from_pkcs8(&SealKey::generate().unwrap()).unwrap());
    let sealer = || {
        let options = SealerOptions {
            key: Arc::clone(&key_of_seals),
            file: file.clone(),
            interval: Duration::from_millis(1),
        };
        Sealer::new(pool(&test.url), options)
    };
    let keys = [key_of_seals.public_key()];
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    let add = async |from: u64, through: u64, life: &str| {
        for sequence in from..=through {
            let command = append(key(format!("{life}-{sequence}")), id, sequence);
            appender.append(command).await.unwrap();
        }
    };
    let backup = postgres.base_backup("backup").await.unwrap();
    add(1, 4, "old").await;
    sealer().seal().await.unwrap();
    postgres.restore_point("kept", &archive).await.unwrap();
    add(5, 8, "old").await;
    sealer().seal().await.unwrap();
    postgres.restore(&backup, &archive, "kept").await.unwrap();
    let head = head_again(&test).await;
    add(5, 6, "new").await;

    // The log can't tell a restore from a tail that was cut off.
    let refused = sealer().seal().await.unwrap_err();
    assert!(matches!(refused, Error::Contradiction(_)), "{refused}");
    test.log
        .begin_epoch(head.epoch, "restored to Tuesday")
        .await
        .unwrap()
        .unwrap();
    let refused = sealer().seal().await.unwrap_err();
    assert!(
        matches!(refused, Error::Contradiction(_)),
        "nor by itself: {refused}"
    );
    let report = verify(&pool(&test.url), &file, &keys, |_, _| {}).await.unwrap();
    assert!(!report.is_clean());
    let cut = "a new epoch of the log began after position 6";
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains(cut) && note.ends_with("restored to Tuesday")),
        "{:?}",
        report.notes
    );

    // An operator sets the file of the old epoch aside, where its proofs stay valid.
    std::fs::rename(&file, dir.0.join("seals.before.jsonl")).unwrap();
    assert_eq!(sealer().seal().await.unwrap(), Position::new(6));
    let report = verify(&pool(&test.url), &file, &keys, |_, _| {}).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(
        report.notes.iter().any(|note| note.contains(cut)),
        "{:?}",
        report.notes
    );
    postgres.server().stop().await.unwrap();
}
