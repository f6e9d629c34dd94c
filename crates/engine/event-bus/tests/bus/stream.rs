//! The declaration and the live server.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use envelope::{LogReader, Position};
use event_bus::{DeclareError, PublisherOptions, TailError};

use crate::log::TestLog;
use crate::nats::{Bus, eventually, publish_all};

#[tokio::test]
async fn a_new_stream_starts_a_backlog_before_the_head() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(100));
    let declared = eventually("declared", async || {
        bus.stream
            .declare(&bus.context, &log, 30)
            .await
            .map_err(|error| error.to_string())
    })
    .await;
    assert_eq!((declared.last, declared.created), (Position::new(70), true));
    let again = bus.stream.declare(&bus.context, &log, 30).await.unwrap();
    assert_eq!((again.last, again.created), (Position::new(70), false));

    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let info = bus.info().await;
    assert_eq!((info.state.first_sequence, info.state.last_sequence), (71, 100));
    assert_eq!(info.config.metadata["log-epoch"], log.epoch().to_string());
}

#[tokio::test]
async fn a_stream_of_a_restored_log_is_replaced() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(100));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;

    log.restore_to(40);
    let mut publisher = bus.publisher(PublisherOptions::default());
    assert_eq!(publisher.resume(&log).await.unwrap(), Position::START);
    publish_all(&mut publisher, &log).await;
    let info = bus.info().await;
    assert_eq!(info.state.last_sequence, 40);
    assert_eq!(info.config.metadata["log-epoch"], log.epoch().to_string());
}

#[tokio::test]
async fn a_stream_ahead_of_the_log_is_replaced_even_in_the_same_life() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(5));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    bus.context
        .publish(format!("{}.junk", bus.stream.subject_prefix), "junk".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let declared = bus.stream.declare(&bus.context, &log, 100).await.unwrap();
    assert_eq!((declared.last, declared.created), (Position::START, true));
}

#[tokio::test]
async fn a_log_that_lost_what_was_published_is_noticed_however_far_it_has_come_since() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(50));
    let mut publisher = bus.publisher(PublisherOptions::default());
    publish_all(&mut publisher, &log).await;
    let tail = publisher.tail(log.epoch()).await.unwrap();
    tail.check(&log).await.unwrap();
    log.append(5);
    let next = tail.read_on(&log, Position::new(50), 3).await.unwrap();
    let positions: Vec<u64> = next.events.iter().map(|event| event.position.get()).collect();
    assert_eq!(positions, [51, 52, 53]);

    for more in [0, 5, 10, 30] {
        log.rewrite_after(40, more);
        let error = tail.check(&log).await.unwrap_err();
        assert!(
            matches!(error, TailError::Contradicted(at) if at == Position::new(50)),
            "{error}"
        );
        let error = tail.read_on(&log, Position::new(50), 100).await.unwrap_err();
        assert!(matches!(error, TailError::Contradicted(_)), "{error}");
    }
    // It proves nothing about another epoch.
    publisher
        .tail(uuid::Uuid::new_v4())
        .await
        .unwrap()
        .check(&log)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_event_proves_nothing_of_the_log() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(5));
    let mut publisher = bus.publisher(PublisherOptions::default());
    // No stream, then one without a message.
    publisher
        .tail(log.epoch())
        .await
        .unwrap()
        .check(&log)
        .await
        .unwrap();
    publisher.resume(&TestLog::with_events(0)).await.unwrap();
    publisher
        .tail(log.epoch())
        .await
        .unwrap()
        .check(&log)
        .await
        .unwrap();
    publish_all(&mut publisher, &log).await;
    bus.context
        .publish(format!("{}.junk", bus.stream.subject_prefix), "junk".into())
        .await
        .unwrap()
        .await
        .unwrap();
    publisher
        .tail(log.epoch())
        .await
        .unwrap()
        .check(&log)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_differs_is_changed_and_what_cannot_be_is_named() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(0));
    let epoch = log.head().await.unwrap().epoch;
    let foreign = Config {
        name: bus.stream.name.clone(),
        subjects: vec![format!("{}.>", bus.stream.subject_prefix)],
        max_age: Duration::from_secs(5),
        metadata: [("log-epoch".to_owned(), epoch.to_string())].into(),
        ..Config::default()
    };
    eventually("created", async || {
        bus.context
            .create_stream(foreign.clone())
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
    .await;
    assert!(!bus.stream.declare(&bus.context, &log, 10).await.unwrap().created);
    let live = bus
        .context
        .get_stream(&bus.stream.name)
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    assert!(live.deny_delete && live.allow_direct);
    assert_eq!(live.max_age, Duration::from_hours(7 * 24));
    assert_eq!(live.metadata["log-epoch"], epoch.to_string());

    bus.context.delete_stream(&bus.stream.name).await.unwrap();
    bus.context
        .create_stream(Config {
            storage: StorageType::Memory,
            ..foreign
        })
        .await
        .unwrap();
    let error = bus.stream.declare(&bus.context, &log, 10).await.unwrap_err();
    assert!(
        matches!(&error, DeclareError::Differs { fields, .. } if fields.contains(&"storage".into())),
        "{error}"
    );
}
