//! A log in a schema that the URL names: every part of it works there, and nowhere else.

use envelope::{Metadata, Position};
use event_store::{
    Appender, AppenderOptions, CommandHandler, CommandRequest, Loader, LoaderOptions, Log, SnapshotOptions,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Count, Counter, append, empty_database, eventually, key, pool};

/// The same database, and in it a schema that only the URL's `options` name.
async fn in_schema(name: &str) -> (String, tokio_postgres::Client) {
    let url = empty_database().await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
        .batch_execute(&format!("create schema {name}"))
        .await
        .unwrap();
    (format!("{url}?options=-c%20search_path%3D{name}"), client)
}

#[tokio::test]
async fn migrations_appends_loads_reads_and_listening_use_the_schema_of_the_url() {
    let (url, owner) = in_schema("ledger").await;
    assert!(event_store::migrate(&url).await.unwrap() > 0);
    event_store::check_schema(&pool(&url)).await.unwrap();
    let shutdown = CancellationToken::new();
    let mut heard = event_store::listen(&url, shutdown.clone()).unwrap();
    let (appender, _) = Appender::start(&url, AppenderOptions::default()).unwrap();
    let loader = Loader::start(&url, LoaderOptions::default()).unwrap();
    let log = Log::new(pool(&url));

    let id = Uuid::now_v7();
    appender.append(append(key("1"), id, 1)).await.unwrap();
    let in_time = std::time::Duration::from_secs(20);
    tokio::time::timeout(in_time, heard.wait_for(|position| *position == Position::new(1)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(log.head().await.unwrap().position, Position::new(1));
    let snapshots = SnapshotOptions {
        every: 1,
        schema_fingerprint: "test".into(),
    };
    let command_handler = CommandHandler::new(log, loader, appender).with_snapshots(snapshots);
    let before = command_handler.load::<Counter>(id).await.unwrap();
    assert_eq!((before.aggregate.total, before.version), (1, 1));
    let counting = CommandRequest {
        aggregate_id: id,
        command: Count(2),
        key: key("2"),
        metadata: Metadata::default(),
        expected_version: None,
        creates: false,
    };
    let respond = |counter: &Counter, _| json!({"total": counter.total});
    let answer = command_handler
        .execute::<Counter>(counting, respond)
        .await
        .unwrap();
    assert_eq!(answer.position, Position::new(2));
    eventually("a snapshot is in that schema", async || {
        let there = "select from ledger.snapshots";
        owner.query_opt(there, &[]).await.unwrap()
    })
    .await;
    let counted = "select (select count(*) from ledger.events),
                          (select count(*) from pg_class where relnamespace = 'public'::regnamespace)";
    let row = owner.query_one(counted, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 0));
    shutdown.cancel();
}
