//! Loads go together, and each gets its own answer.

use std::time::{Duration, Instant};

use envelope::{Metadata, Position};
use event_store::{Append, AppenderOptions, CommandHandler, Error, Loader, LoaderOptions};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::{Counter, TestLog, append, eventually, key};

/// Aggregates of 0, 1, 2 … events, so that an answer that went to the wrong load shows.
async fn aggregates(test: &TestLog, count: u64) -> Vec<Uuid> {
    let appender = test.appender(AppenderOptions::default());
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    let appends = (0_u64..).zip(&ids).map(|(length, id)| {
        let events = (1..=length).map(|sequence| append(key("-"), *id, sequence).events.remove(0));
        appender.append(Append {
            events: events.collect(),
            metadata: Metadata {
                correlation_id: Some(id.to_string()),
                ..Metadata::default()
            },
            ..append(key(id.to_string()), *id, 1)
        })
    });
    for appended in join_all(appends).await {
        appended.unwrap();
    }
    ids
}

fn command_handler(test: &TestLog, options: LoaderOptions) -> CommandHandler {
    let appender = test.appender(AppenderOptions::default());
    CommandHandler::new(test.log.clone(), test.loader(options), appender)
}

async fn assert_loaded(command_handler: &CommandHandler, ids: &[Uuid]) {
    let loads = ids.iter().map(|id| command_handler.load::<Counter>(*id));
    for ((length, id), loaded) in (0_u64..).zip(ids).zip(join_all(loads).await) {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.version, length);
        assert_eq!(loaded.aggregate.total.unsigned_abs(), length);
        let began = (length > 0).then(|| id.to_string());
        assert_eq!(loaded.correlation_id, began, "of the first event");
    }
}

#[tokio::test]
async fn each_of_many_loads_at_once_gets_its_own_aggregate() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 40).await;
    let many: Vec<Uuid> = ids.iter().cycle().take(ids.len() * 20).copied().collect();
    for options in [
        LoaderOptions::default(),
        LoaderOptions {
            max_batch: 3,
            connections: 1,
            ..LoaderOptions::default()
        },
    ] {
        let command_handler = command_handler(&test, options);
        assert_loaded(&command_handler, &ids).await;
        join_all(
            many.chunks(ids.len())
                .map(|ids| assert_loaded(&command_handler, ids)),
        )
        .await;
    }
}

#[tokio::test]
async fn an_aggregate_longer_than_a_page_is_loaded_whole() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 30).await;
    for max_events in [1, 7, 29] {
        let options = LoaderOptions {
            max_events,
            ..LoaderOptions::default()
        };
        assert_loaded(&command_handler(&test, options), &ids).await;
    }
}

#[tokio::test]
async fn waiting_loads_go_as_one_statement() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 20).await;
    let command_handler = command_handler(
        &test,
        LoaderOptions {
            connections: 1,
            ..LoaderOptions::default()
        },
    );
    command_handler.load::<Counter>(ids[0]).await.unwrap();
    let client = test.client().await;
    // Every statement of the loading task reads one value of this sequence.
    client
        .batch_execute(
            "create sequence statements;
             alter table log_head rename to log_head_kept;
             create view log_head as select id, position, epoch from log_head_kept, nextval('statements') as counted",
        )
        .await
        .unwrap();
    assert_loaded(&command_handler, &ids).await;
    let statements: i64 = client
        .query_one("select last_value from statements", &[])
        .await
        .unwrap()
        .get(0);
    assert!((1..=2).contains(&statements), "{statements} statements");
}

#[tokio::test]
async fn lost_connections_are_made_again() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 10).await;
    let command_handler = command_handler(&test, LoaderOptions::default());
    let client = test.client().await;
    for _ in 0..5 {
        assert_loaded(&command_handler, &ids).await;
        let killed = client
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'event-store load' and datname = current_database()",
                &[],
            )
            .await
            .unwrap();
        assert!(killed > 0);
    }
    assert_loaded(&command_handler, &ids).await;
}

#[tokio::test]
async fn what_the_database_refuses_fails_alone_and_says_why() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 10).await;
    let client = test.client().await;
    client
        .batch_execute(&format!(
            "alter table events rename to events_kept;
             create view events as
             select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
             from events_kept where 1 / (case when aggregate_id = '{}' then 0 else 1 end) = 1",
            ids[5]
        ))
        .await
        .unwrap();
    let command_handler = command_handler(&test, LoaderOptions::default());
    let loaded = join_all(ids.iter().map(|id| command_handler.load::<Counter>(*id))).await;
    for (index, loaded) in loaded.into_iter().enumerate() {
        match loaded {
            Ok(loaded) => assert_eq!(usize::try_from(loaded.version).unwrap(), index),
            Err(Error::Refused(why)) => assert!(index == 5 && why.contains("22012"), "{index}: {why}"),
            Err(other) => panic!("{index}: {other}"),
        }
    }
    assert!(command_handler.load::<Counter>(ids[5]).await.is_err());
}

#[tokio::test]
async fn a_hole_in_an_aggregate_is_an_error_and_nobody_elses() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 6).await;
    let client = test.client().await;
    client
        .batch_execute("alter table events disable trigger events_are_final")
        .await
        .unwrap();
    client
        .execute(
            "delete from events where aggregate_id = $1 and sequence = 3",
            &[&ids[5]],
        )
        .await
        .unwrap();
    let command_handler = command_handler(&test, LoaderOptions::default());
    assert_loaded(&command_handler, &ids[..5]).await;
    let broken = command_handler.load::<Counter>(ids[5]).await.unwrap_err();
    let what = format!("counter {} has sequence 4 where 3 is due", ids[5]);
    assert!(broken.to_string().contains(&what), "{broken}");
    assert_eq!(test.log.head().await.unwrap().position, Position::new(15));
}

/// The separator of a load's lists, written past the writer: it is an error and never a boundary.
#[tokio::test]
async fn a_control_character_where_none_can_be_is_an_error() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 4).await;
    let client = test.client().await;
    client
        .batch_execute("alter table events disable trigger events_are_final")
        .await
        .unwrap();
    for column in ["event_type", "event_version", "payload"] {
        let edit =
            format!("update events set {column} = {column} || E'\\x1f' || {column} where aggregate_id = $1");
        client.execute(&edit, &[&ids[2]]).await.unwrap();
        let command_handler = command_handler(&test, LoaderOptions::default());
        let broken = command_handler.load::<Counter>(ids[2]).await.unwrap_err();
        assert!(
            broken.to_string().contains("control character"),
            "{column}: {broken}"
        );
        let repair = format!("update events set {column} = split_part({column}, E'\\x1f', 1)");
        client.execute(&repair, &[]).await.unwrap();
    }
    assert_loaded(&command_handler(&test, LoaderOptions::default()), &ids).await;
}

#[tokio::test]
async fn nobody_home_is_an_error_within_the_time_allowed() {
    let test = TestLog::new().await;
    let options = LoaderOptions {
        give_up_after: Duration::from_millis(300),
        ..LoaderOptions::default()
    };
    // Port 1 on this machine: refused at once.
    let loader = Loader::start("postgres://nobody@127.0.0.1:1/none", options).unwrap();
    let command_handler = CommandHandler::new(
        test.log.clone(),
        loader,
        test.appender(AppenderOptions::default()),
    );
    let begun = Instant::now();
    let refused = join_all((0..20).map(|_| command_handler.load::<Counter>(Uuid::now_v7()))).await;
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("error connecting"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "bounded");
}

#[tokio::test]
async fn a_database_that_says_nothing_is_an_error_within_the_time_allowed_and_recovers() {
    let test = TestLog::new().await;
    let ids = aggregates(&test, 3).await;
    let options = LoaderOptions {
        statement_timeout: Duration::from_millis(200),
        give_up_after: Duration::from_millis(400),
        ..LoaderOptions::default()
    };
    let command_handler = command_handler(&test, options);
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    held.batch_execute("lock table events").await.unwrap();
    let refused = command_handler.load::<Counter>(ids[1]).await.unwrap_err();
    assert!(refused.to_string().contains("57014"), "{refused}");
    held.rollback().await.unwrap();
    eventually("loads work again", async || {
        command_handler.load::<Counter>(ids[1]).await.ok()
    })
    .await;
    assert_loaded(&command_handler, &ids).await;
}
