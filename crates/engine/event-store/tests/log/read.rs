//! The guarantees of the log for its readers, and its schema.

use std::path::Path;
use std::pin::pin;

use envelope::{Position, RecordedEvent};
use event_store::{AppenderOptions, Error, Share};
use futures_util::TryStreamExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{TestLog, append, empty_database, eventually, key, pool};

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
async fn streams_give_everything_in_order_however_long() {
    let test = TestLog::new().await;
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let appender = test.appender(AppenderOptions::default());
    // Two aggregates and two types, interleaved; more than two pages of each.
    for batch in 0..4_u64 {
        let mut command = append(key(batch.to_string()), ids[0], 1);
        command.events = (0..600_u64)
            .map(|n| {
                let number = batch * 600 + n;
                let mut event = append(key("-"), ids[usize::from(number % 2 == 1)], number / 2 + 1)
                    .events
                    .remove(0);
                event.event_type = if number % 3 == 0 { "Third" } else { "Counted" }.into();
                event
            })
            .collect();
        appender.append(command).await.unwrap();
    }
    let all: Vec<RecordedEvent> = test
        .log
        .events_after(Position::START)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(all, test.log.read_after(Position::START, 5000).await.unwrap());
    assert_eq!(all.len(), 2400);
    let tail: Vec<RecordedEvent> = test
        .log
        .events_after(Position::new(2399))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(tail, all[2399..]);

    let of: Vec<RecordedEvent> = test
        .log
        .events_of("counter", ids[1], 0)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(of, test.log.load("counter", ids[1], 0).await.unwrap());
    assert_eq!(of.len(), 1200);
    let later: Vec<RecordedEvent> = test
        .log
        .events_of("counter", ids[1], 700)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(later, of[700..]);

    let third: Vec<RecordedEvent> = test
        .log
        .events_of_types(&["Third"], Position::START)
        .try_collect()
        .await
        .unwrap();
    let expected: Vec<RecordedEvent> = all
        .iter()
        .filter(|event| event.event_type == "Third")
        .cloned()
        .collect();
    assert_eq!(third, expected);
    assert_eq!(third.len(), 800);
    let both: Vec<RecordedEvent> = test
        .log
        .events_of_types(&["Third", "Counted"], Position::new(10))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(both, all[10..]);
    let none: Vec<RecordedEvent> = test
        .log
        .events_of_types(&["Never"], Position::START)
        .try_collect()
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_stream_of_types_ends_where_the_log_ended_when_it_began() {
    let (test, id) = with_events(3).await;
    let appender = test.appender(AppenderOptions::default());
    let mut stream = pin!(test.log.events_of_types(&["Counted"], Position::START));
    let mut positions = Vec::new();
    while let Some(event) = stream.try_next().await.unwrap() {
        positions.push(event.position.get());
        // Every event read leads to another one: without an end this would go on for ever.
        let sequence = 3 + positions.len() as u64;
        appender
            .append(append(key(format!("more-{sequence}")), id, sequence))
            .await
            .unwrap();
    }
    assert_eq!(positions, [1, 2, 3]);
}

#[tokio::test]
async fn a_listener_hears_of_every_batch_and_survives_its_connection() {
    let test = TestLog::new().await;
    let shutdown = CancellationToken::new();
    let mut heard = event_store::listen(&test.url, shutdown.clone()).unwrap();
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
    // Notified while no connection listens: the new connection reads the head.
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
    assert!(refused.to_string().contains("migrate it"), "{refused}");
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrations");
    let versions: Vec<i32> = std::fs::read_dir(migrations)
        .unwrap()
        .map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            let version = name
                .strip_prefix('V')
                .and_then(|name| name.split_once("__"))
                .unwrap()
                .0;
            version.parse().unwrap()
        })
        .collect();
    let newest = *versions.iter().max().unwrap();
    // Two at once: one waits for the other.
    let (one, other) = tokio::join!(event_store::migrate(&url), event_store::migrate(&url));
    assert_eq!(one.unwrap() + other.unwrap(), versions.len());
    event_store::check_schema(&pool).await.unwrap();
    let client = pool.get().await.unwrap();
    client
        .execute(
            "update event_store_migrations set version = 99 where version = $1",
            &[&newest],
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
    let needed = format!("this build needs {newest}");
    assert!(older.to_string().contains(&needed), "{older}");
}

#[tokio::test]
async fn a_migration_that_fails_says_which_and_why() {
    let url = empty_database().await;
    let client = pool(&url).get().await.unwrap();
    client.batch_execute("create table events ()").await.unwrap();
    let failed = event_store::migrate(&url).await.unwrap_err().to_string();
    assert!(failed.contains("V1__log"), "{failed}");
    assert!(
        failed.contains("relation \"events\" already exists (SQLSTATE 42P07)"),
        "{failed}"
    );
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
    assert!(prepared > 20, "prepared only {prepared}");
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
            "'counter', gen_random_uuid(), 0, 10"
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
