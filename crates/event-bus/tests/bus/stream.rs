//! The declaration and the live server.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use envelope::Position;
use event_bus::{DeclareError, LogReader, PublisherOptions};

use crate::log::TestLog;
use crate::nats::{Nats, eventually, publish_all, publisher, stream};

#[tokio::test]
async fn a_new_stream_starts_a_backlog_before_the_head() {
    let (nats, log) = (Nats::start(), TestLog::with_events(100));
    let context = nats.connect().await;
    let declared = eventually("declared", async || {
        stream()
            .declare(&context, &log, 30)
            .await
            .map_err(|error| error.to_string())
    })
    .await;
    assert_eq!((declared.last, declared.created), (Position::new(70), true));
    let again = stream().declare(&context, &log, 30).await.unwrap();
    assert_eq!((again.last, again.created), (Position::new(70), false));

    publish_all(&mut publisher(&context, PublisherOptions::default()), &log).await;
    let info = context.get_stream("THINGS").await.unwrap().cached_info().clone();
    assert_eq!((info.state.first_sequence, info.state.last_sequence), (71, 100));
    assert_eq!(info.config.metadata["log-epoch"], log.epoch().to_string());
}

#[tokio::test]
async fn a_stream_of_a_restored_log_is_replaced() {
    let (nats, log) = (Nats::start(), TestLog::with_events(100));
    let context = nats.connect().await;
    publish_all(&mut publisher(&context, PublisherOptions::default()), &log).await;

    log.restore_to(40);
    let mut publisher = publisher(&context, PublisherOptions::default());
    assert_eq!(publisher.resume(&log).await.unwrap(), Position::START);
    publish_all(&mut publisher, &log).await;
    let info = context.get_stream("THINGS").await.unwrap().cached_info().clone();
    assert_eq!(info.state.last_sequence, 40);
    assert_eq!(info.config.metadata["log-epoch"], log.epoch().to_string());
}

#[tokio::test]
async fn a_stream_ahead_of_the_log_is_replaced_even_in_the_same_life() {
    let (nats, log) = (Nats::start(), TestLog::with_events(5));
    let context = nats.connect().await;
    publish_all(&mut publisher(&context, PublisherOptions::default()), &log).await;
    context
        .publish("things.v1.junk", "junk".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let declared = stream().declare(&context, &log, 100).await.unwrap();
    assert_eq!((declared.last, declared.created), (Position::START, true));
}

#[tokio::test]
async fn what_differs_is_changed_and_what_cannot_be_is_named() {
    let (nats, log) = (Nats::start(), TestLog::with_events(0));
    let context = nats.connect().await;
    let epoch = log.head().await.unwrap().epoch;
    let foreign = Config {
        name: "THINGS".into(),
        subjects: vec!["things.v1.>".into()],
        max_age: Duration::from_secs(5),
        metadata: [("log-epoch".to_owned(), epoch.to_string())].into(),
        ..Config::default()
    };
    eventually("created", async || {
        context
            .create_stream(foreign.clone())
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
    .await;
    assert!(!stream().declare(&context, &log, 10).await.unwrap().created);
    let live = context
        .get_stream("THINGS")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    assert!(live.deny_delete && live.allow_direct);
    assert_eq!(live.max_age, Duration::from_hours(7 * 24));
    assert_eq!(live.metadata["log-epoch"], epoch.to_string());

    context.delete_stream("THINGS").await.unwrap();
    context
        .create_stream(Config {
            storage: StorageType::Memory,
            ..foreign
        })
        .await
        .unwrap();
    let error = stream().declare(&context, &log, 10).await.unwrap_err();
    assert!(
        matches!(&error, DeclareError::Differs { fields, .. } if fields.contains(&"storage".into())),
        "{error}"
    );
}
