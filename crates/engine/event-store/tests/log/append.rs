//! What the log promises to those who write.

use std::time::Duration;

use envelope::Position;
use event_store::{AppendError, AppenderOptions};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{TestLog, append, append_payload, eventually, in_one_batch, key};

#[tokio::test]
async fn one_key_sent_a_hundred_times_at_once_is_one_event_and_one_answer() {
    let test = TestLog::new().await;
    // Two writing tasks, as two instances of a service would have.
    let appenders = [
        test.appender(AppenderOptions::default()),
        test.appender(AppenderOptions::default()),
    ];
    let sent = (0..100).map(|n| {
        // Every attempt would make another aggregate: only one may.
        let append = append(key("same"), Uuid::now_v7(), 1);
        let appender = appenders[n % 2].clone();
        async move { appender.append(append).await.unwrap() }
    });
    let answers = join_all(sent).await;
    assert_eq!(test.log.read_after(Position::START, 1000).await.unwrap().len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    for answer in &answers {
        assert_eq!(
            (answer.position, &answer.response),
            (Position::new(1), &answers[0].response)
        );
    }
}

#[tokio::test]
async fn a_used_key_is_refused_for_another_request_and_keeps_its_answer() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let id = Uuid::now_v7();
    let first = appender.append(append(key("k"), id, 1)).await.unwrap();
    let mut other = append(key("k"), id, 2);
    other.key.request_hash = [2; 32];
    assert_eq!(appender.append(other).await, Err(AppendError::KeyReused));
    let again = appender.append(append(key("k"), id, 2)).await.unwrap();
    assert_eq!(
        (again.position, again.response, again.replayed),
        (first.position, first.response, true)
    );
    // The same key in another scope is another key.
    let mut elsewhere = append(key("k"), id, 2);
    elsewhere.key.scope = "elsewhere".into();
    assert_eq!(
        appender.append(elsewhere).await.unwrap().position,
        Position::new(2)
    );
}

#[tokio::test]
async fn a_wrong_version_fails_alone() {
    let test = TestLog::new().await;
    let (known, fresh) = (Uuid::now_v7(), Uuid::now_v7());
    let appender = test.appender(AppenderOptions::default());
    appender.append(append(key("known"), known, 1)).await.unwrap();
    let outcomes = in_one_batch(
        &test,
        vec![
            append(key("a"), Uuid::now_v7(), 1),
            append(key("behind"), known, 1),
            append(key("b"), known, 2),
            append(key("ahead"), fresh, 2),
            append(key("c"), fresh, 1),
        ],
    )
    .await;
    let refused: Vec<bool> = outcomes
        .iter()
        .map(|outcome| matches!(outcome, Err(AppendError::Conflict(_))))
        .collect();
    assert_eq!(refused, [false, true, false, true, false], "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(_) | Err(AppendError::Conflict(_))))
    );
    let positions: Vec<u64> = test
        .log
        .read_after(Position::START, 100)
        .await
        .unwrap()
        .iter()
        .map(|e| e.position.get())
        .collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    assert_eq!(test.log.head().await.unwrap().position, Position::new(5));
}

#[tokio::test]
async fn a_sequence_that_runs_ahead_is_refused_though_its_predecessor_comes_behind_it() {
    let test = TestLog::new().await;
    let fresh = Uuid::now_v7();
    let batch = vec![append(key("second"), fresh, 2), append(key("first"), fresh, 1)];
    let outcomes = in_one_batch(&test, batch).await;
    assert!(
        matches!(outcomes[0], Err(AppendError::Conflict(_))),
        "{outcomes:?}"
    );
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(2));
}

#[tokio::test]
async fn a_sequence_that_runs_ahead_is_refused_even_alone() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let ahead = appender.append(append(key("ahead"), Uuid::now_v7(), 7)).await;
    assert!(matches!(ahead, Err(AppendError::Conflict(_))), "{ahead:?}");
    assert_eq!(test.log.head().await.unwrap().position, Position::START);
}

#[tokio::test]
async fn what_postgres_cannot_store_fails_alone_and_says_why() {
    let test = TestLog::new().await;
    test.refuse_unstorable().await;
    let mut bad = append(key("bad"), Uuid::now_v7(), 1);
    bad.events[0].event_type = "Unstorable".into();
    let outcomes = in_one_batch(
        &test,
        vec![
            append(key("a"), Uuid::now_v7(), 1),
            bad,
            append(key("b"), Uuid::now_v7(), 1),
        ],
    )
    .await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let Err(AppendError::Unstorable(why)) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert!(why.contains("23514"), "{why}");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(3));
}

/// Enough commands for a batch behind the first, whose connection is lost while both are under way.
#[tokio::test]
async fn two_batches_lose_their_connection_and_nothing_else() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    held.execute("select from log_head for update", &[])
        .await
        .unwrap();
    let commands: Vec<_> = (0..100)
        .map(|number| {
            let appender = appender.clone();
            let append = append(key(number.to_string()), Uuid::now_v7(), 1);
            tokio::spawn(async move { appender.append(append).await })
        })
        .collect();
    let watcher = test.client().await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                where wait_event_type = 'Lock' and application_name = 'event-store append' and datname = current_database()";
    eventually("a batch waits for the head", async || {
        watcher.query_opt(kill, &[]).await.unwrap()
    })
    .await;
    held.commit().await.unwrap();
    let mut positions: Vec<u64> = join_all(commands)
        .await
        .into_iter()
        .map(|answer| answer.unwrap().unwrap().position.get())
        .collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=100).collect::<Vec<u64>>());
    assert_eq!(test.log.head().await.unwrap().position, Position::new(100));
}

#[tokio::test]
async fn text_that_is_no_text_is_not_recorded() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let mut bad_metadata = append(key("metadata"), Uuid::now_v7(), 1);
    bad_metadata.metadata.actor = Some("a\0b".into());
    for bad in [
        append_payload(key("nul"), Uuid::now_v7(), 1, r#"{"by":"\u0000"}"#),
        append_payload(key("half"), Uuid::now_v7(), 1, r#"{"by":"\ud83c"}"#),
        bad_metadata,
    ] {
        let refused = appender.append(bad).await;
        let Err(AppendError::Unstorable(why)) = &refused else {
            panic!("{refused:?}")
        };
        assert!(why.contains("no character"), "{why}");
    }
    assert_eq!(test.log.head().await.unwrap().position, Position::START);
}

#[tokio::test]
async fn what_no_message_could_carry_is_not_recorded() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    let filled = |bytes: usize| format!(r#"{{"by":"{}"}}"#, "x".repeat(bytes - r#"{"by":""}"#.len()));
    let most = AppenderOptions::default().max_payload_bytes;
    let large = append_payload(key("large"), Uuid::now_v7(), 1, &filled(most));
    assert!(appender.append(large).await.is_ok());
    let larger = append_payload(key("larger"), Uuid::now_v7(), 1, &filled(most + 1));
    let refused = appender.append(larger).await;
    assert!(matches!(refused, Err(AppendError::Unstorable(_))), "{refused:?}");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(1));
}

#[tokio::test]
async fn a_command_without_events_is_kept_with_the_head_as_its_position() {
    let test = TestLog::new().await;
    let appender = test.appender(AppenderOptions::default());
    appender
        .append(append(key("one"), Uuid::now_v7(), 1))
        .await
        .unwrap();
    let mut nothing = append(key("nothing"), Uuid::now_v7(), 1);
    nothing.events.clear();
    assert_eq!(
        appender.append(nothing.clone()).await.unwrap().position,
        Position::new(1)
    );
    assert!(appender.append(nothing).await.unwrap().replayed);
}

#[tokio::test]
async fn a_held_head_gives_up_in_time_and_recovers_by_itself() {
    let test = TestLog::new().await;
    let options = AppenderOptions {
        give_up_after: Duration::from_millis(400),
        lock_timeout: Duration::from_millis(100),
        ..AppenderOptions::default()
    };
    let appender = test.appender(options);
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    held.execute("select from log_head for update", &[])
        .await
        .unwrap();
    let command = append(key("k"), Uuid::now_v7(), 1);
    let refused = appender.append(command.clone()).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    held.rollback().await.unwrap();
    let accepted = appender.append(command).await.unwrap();
    assert_eq!((accepted.position, accepted.replayed), (Position::new(1), false));
}

#[tokio::test]
async fn nobody_home_is_an_error_within_the_time_allowed() {
    let options = AppenderOptions {
        give_up_after: Duration::from_millis(300),
        ..AppenderOptions::default()
    };
    // Port 1 on this machine: refused at once.
    let (appender, task) =
        event_store::Appender::start("postgres://nobody@127.0.0.1:1/none", options).unwrap();
    let refused = appender.append(append(key("k"), Uuid::now_v7(), 1)).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    drop(appender);
    task.await.unwrap();
}

#[tokio::test]
async fn the_writing_task_flushes_what_waits_before_it_ends() {
    let test = TestLog::new().await;
    let (appender, task) = event_store::Appender::start(&test.url, AppenderOptions::default()).unwrap();
    let sent: Vec<_> = (0..50)
        .map(|n| {
            let appender = appender.clone();
            tokio::spawn(async move {
                appender
                    .append(append(key(n.to_string()), Uuid::now_v7(), 1))
                    .await
            })
        })
        .collect();
    drop(appender);
    assert!(join_all(sent).await.into_iter().all(|sent| sent.unwrap().is_ok()));
    task.await.unwrap();
    assert_eq!(test.log.head().await.unwrap().position, Position::new(50));
}

/// A plan made while the log was small would stay; and one that may not scan the head's one row looks endlessly
/// expensive, so that a server which compiles such plans would compile every append.
#[tokio::test]
async fn appends_are_planned_for_a_large_log_and_never_compiled() {
    let test = TestLog::new().await;
    let client = test.client().await;
    client
        .batch_execute(
            "create table settings (jit text, seqscan text);
             create function note() returns trigger language plpgsql as $$
             begin
                 insert into settings values (current_setting('jit'), current_setting('enable_seqscan'));
                 return new;
             end $$;
             create trigger note before insert on commands for each row execute function note()",
        )
        .await
        .unwrap();
    let appender = test.appender(AppenderOptions::default());
    appender
        .append(append(key("k"), Uuid::now_v7(), 1))
        .await
        .unwrap();
    let row = client
        .query_one("select jit, seqscan from settings", &[])
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1)), ("off", "off"));
}

#[tokio::test]
async fn recorded_events_cannot_be_changed() {
    let test = TestLog::new().await;
    test.appender(AppenderOptions::default())
        .append(append(key("k"), Uuid::now_v7(), 1))
        .await
        .unwrap();
    let client = test.client().await;
    for change in [
        "update events set payload = '{}'",
        "delete from events",
        "truncate events",
    ] {
        let refused = client.execute(change, &[]).await.unwrap_err();
        assert!(refused.to_string().contains("db error"), "{refused}");
        assert_eq!(refused.code().unwrap().code(), "23001", "{change}");
    }
}
