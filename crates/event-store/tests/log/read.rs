//! What the log promises to those who read, and the schema it lives in.

use std::path::Path;

use crate::support::{TestLog, append, empty_database, eventually, key, pool};
use envelope::Position;
use event_store::{AppenderOptions, Error, Share};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

async fn with_events(count: u64) -> (TestLog, Uuid) {
    let (test, id) = (TestLog::new().await, Uuid::now_v7());
    let appender = test.appender(AppenderOptions::default());
    for sequence in 1..=count {
        appender
            .append(append(key(sequence.to_string()), id, sequence))
            .await
            .unwrap();
    }
    (test, id)
}

#[tokio::test]
async fn reading_goes_on_after_a_position_and_is_bounded() {
    let (test, id) = with_events(5).await;
    let positions = async |after, limit| {
        let events = test.log.read_after(Position::new(after), limit).await.unwrap();
        events
            .iter()
            .map(|event| event.position.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(positions(0, 2).await, [1, 2]);
    assert_eq!(positions(3, 10).await, [4, 5]);
    assert!(positions(5, 10).await.is_empty());
    assert_eq!(test.log.load("counter", id, 3).await.unwrap().len(), 2);
    assert!(
        test.log
            .load("counter", Uuid::now_v7(), 0)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_hole_in_the_log_is_an_error_and_never_skipped() {
    let (test, id) = with_events(5).await;
    let client = test.client().await;
    client
        .batch_execute(
            "alter table events disable trigger events_are_final; delete from events where position = 3",
        )
        .await
        .unwrap();
    let error = test.log.read_after(Position::START, 10).await.unwrap_err();
    assert!(
        matches!(&error, Error::Broken(what) if what.contains("position 3 is missing")),
        "{error}"
    );
    let error = test.log.load("counter", id, 0).await.unwrap_err();
    assert!(matches!(error, Error::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_position_is_found_by_time() {
    let (test, _) = with_events(9).await;
    let events = test.log.read_after(Position::START, 10).await.unwrap();
    assert_eq!(
        test.log.position_before(events[0].recorded_at).await.unwrap(),
        Position::START
    );
    for event in &events[1..] {
        let expected = events
            .iter()
            .filter(|other| other.recorded_at < event.recorded_at)
            .count() as u64;
        assert_eq!(
            test.log.position_before(event.recorded_at).await.unwrap().get(),
            expected
        );
    }
    let later = events[8].recorded_at + chrono::TimeDelta::seconds(1);
    assert_eq!(test.log.position_before(later).await.unwrap(), Position::new(9));
    assert_eq!(
        TestLog::new().await.log.position_before(later).await.unwrap(),
        Position::START
    );
}

#[tokio::test]
async fn a_listener_hears_of_every_batch_and_survives_its_connection() {
    let test = TestLog::new().await;
    let shutdown = CancellationToken::new();
    let mut heard = event_store::listen(&test.url, shutdown.clone());
    let (appender, id) = (test.appender(AppenderOptions::default()), Uuid::now_v7());
    appender.append(append(key("1"), id, 1)).await.unwrap();
    let in_time = std::time::Duration::from_secs(10);
    tokio::time::timeout(in_time, heard.wait_for(|position| *position == Position::new(1)))
        .await
        .unwrap()
        .unwrap();
    let killed = test
        .client()
        .await
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and query like '%listen%' and pid <> pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(killed, 1);
    // Said while nobody listens: the new connection asks for the head.
    appender.append(append(key("2"), id, 2)).await.unwrap();
    tokio::time::timeout(in_time, heard.wait_for(|position| *position == Position::new(2)))
        .await
        .unwrap()
        .unwrap();
    shutdown.cancel();
    eventually("the listener ends", async || {
        heard.has_changed().is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_the_schema_of_this_build_is_accepted() {
    let url = empty_database().await;
    let pool = pool(&url);
    let refused = event_store::check_schema(&pool).await.unwrap_err();
    assert!(
        refused.to_string().contains("run `command-api migrate`"),
        "{refused}"
    );
    // Two at once: one waits for the other.
    let (one, other) = tokio::join!(event_store::migrate(&url), event_store::migrate(&url));
    assert_eq!(one.unwrap() + other.unwrap(), 5);
    event_store::check_schema(&pool).await.unwrap();
    let client = pool.get().await.unwrap();
    client
        .execute(
            "update event_store_migrations set version = 99 where version = 5",
            &[],
        )
        .await
        .unwrap();
    let newer = event_store::check_schema(&pool).await.unwrap_err();
    assert!(newer.to_string().contains("run a newer build"), "{newer}");
    client
        .execute("delete from event_store_migrations where version = 99", &[])
        .await
        .unwrap();
    let older = event_store::check_schema(&pool).await.unwrap_err();
    assert!(older.to_string().contains("this build needs 5"), "{older}");
}

#[tokio::test]
async fn every_statement_prepares_on_the_migrated_schema() {
    let test = TestLog::new().await;
    let client = test.client().await;
    let mut prepared = 0;
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql")).unwrap() {
        let path = file.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        assert!(
            sql.starts_with("-- "),
            "{} does not name its function",
            path.display()
        );
        if path.ends_with("listen.sql") {
            client.batch_execute(&sql).await.unwrap();
        } else {
            client
                .prepare(&sql)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        prepared += 1;
    }
    assert_eq!(prepared, 21);
}

#[tokio::test]
async fn streams_and_tails_are_read_through_their_indexes() {
    let (test, _) = with_events(1).await;
    let client = test.client().await;
    client
        .batch_execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    for (sql, index) in [
        (
            include_str!("../../src/sql/load_stream.sql"),
            "events_aggregate_type_aggregate_id_sequence_key",
        ),
        (include_str!("../../src/sql/read_after.sql"), "events_pkey"),
        (include_str!("../../src/sql/find_outcome.sql"), "commands_pkey"),
    ] {
        let binds = if sql.contains("$3") {
            "'counter', gen_random_uuid(), 0"
        } else if sql.contains("scope") {
            "'a', 'b'"
        } else {
            "0, 10"
        };
        let name = index.replace('_', "");
        client
            .batch_execute(&format!("prepare {name} as {sql}"))
            .await
            .unwrap();
        let plan: Vec<String> = client
            .query(&format!("explain execute {name}({binds})"), &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Sort")), "{plan:#?}");
    }
}

#[tokio::test]
async fn shares_have_every_event_once_and_keep_each_aggregate_together_and_in_order() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for (round, sequence) in (1..=3).enumerate() {
        for (index, id) in ids.iter().enumerate() {
            let key = key(format!("{round}-{index}"));
            appender.append(append(key, *id, sequence)).await.unwrap();
        }
    }
    let end = test.log.head().await.unwrap().position;
    let mut positions = Vec::new();
    for index in 0..3 {
        let share = Share { index, of: 3 };
        let run = test
            .log
            .read_share(share, Position::START, end, 1 << 20)
            .await
            .unwrap();
        assert_eq!(run.through, end);
        for id in &ids {
            let own = run.events.iter().filter(|event| event.aggregate_id == *id);
            let sequences: Vec<u64> = own.map(|event| event.sequence).collect();
            assert!(sequences.is_empty() || sequences == [1, 2, 3], "{sequences:?}");
        }
        assert!(run.events.is_sorted_by_key(|event| event.position));
        assert!(!run.events.is_empty() && run.events.len() < 60);
        positions.extend(run.events.iter().map(|event| event.position.get()));
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_share_ends_early_when_its_payloads_are_large_and_goes_on_from_there() {
    let (test, _) = with_events(10).await;
    let (end, all) = (Position::new(9), Share { index: 0, of: 1 });
    let (mut at, mut positions) = (Position::START, Vec::new());
    while at < end {
        // Two payloads of eight bytes or more fill it.
        let run = test.log.read_share(all, at, end, 9).await.unwrap();
        assert!(run.through > at && run.events.len() <= 2, "{run:?}");
        positions.extend(run.events.iter().map(|event| event.position.get()));
        at = run.through;
    }
    assert_eq!(positions, (1..=9).collect::<Vec<_>>());
}
