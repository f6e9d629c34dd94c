//! What a subscription hands out without faults.

use std::time::Duration;

use event_bus::{CatchUpError, PublisherOptions};
use tokio_util::sync::CancellationToken;

use crate::log::TestLog;
use crate::nats::{Bus, eventually, follow, publish_all};

/// The log is down all the while, so every event must have come over the stream.
#[tokio::test]
async fn a_whole_stream_needs_no_log() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(1_000));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    log.set_down(true);
    let mut subscription = bus.subscription(&log, 250);
    follow(&mut subscription, &log, 1_000).await;
    let counts = subscription.counts();
    assert_eq!(
        (counts.from_stream, counts.from_log, counts.untrusted),
        (750, 0, 0)
    );
}

/// A waiter for a change of the status gets one, also when the stream opens at once and no event arrives.
#[tokio::test]
async fn a_stream_is_not_said_to_be_read_before_it_is() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(1));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let mut subscription = bus.subscription(&log, 0);
    let mut status = subscription.status();
    assert!(status.borrow_and_update().stream.is_some());
    follow(&mut subscription, &log, 1).await;
    assert!(status.has_changed().unwrap());
    assert_eq!(status.borrow().stream, None);
}

#[tokio::test]
async fn a_stream_that_starts_later_is_completed_from_the_log() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(1_000));
    let options = PublisherOptions {
        backlog: 100,
        ..PublisherOptions::default()
    };
    publish_all(&mut bus.publisher(options), &log).await;
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 1_000).await;
    log.append(10);
    publish_all(&mut bus.publisher(options), &log).await;
    follow(&mut subscription, &log, 1_010).await;
    assert!(
        subscription.counts().from_log >= 900,
        "{:?}",
        subscription.counts()
    );
}

#[tokio::test]
async fn a_relay_that_stands_still_holds_nobody_up() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(10));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 10).await;
    log.append(40);
    follow(&mut subscription, &log, 50).await;
    assert_eq!(subscription.counts().from_log, 40);

    // When it comes back, what it brings late is dropped, and the stream is what is read again.
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let shutdown = CancellationToken::new();
    let waiting = subscription.next_batch(100, &shutdown);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), waiting)
            .await
            .is_err(),
        "there is nothing new"
    );
    assert_eq!(subscription.counts().dropped_old, 40);
    log.append(5);
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    follow(&mut subscription, &log, 55).await;
}

#[tokio::test]
async fn a_run_is_what_is_ready_and_no_more_than_asked() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(600));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let mut subscription = bus.subscription(&log, 0);
    let shutdown = CancellationToken::new();
    assert_eq!(subscription.next_batch(7, &shutdown).await.unwrap().len(), 7);
    // All 600 are on their way by now: a run must not end where the runtime's budget of 128 does.
    let largest = eventually("a large run", async || {
        let size = subscription.next_batch(400, &shutdown).await.unwrap().len();
        if size > 128 {
            Ok(size)
        } else {
            Err(format!("{size} events"))
        }
    })
    .await;
    assert!(largest <= 400);
}

/// What a reader takes along after it was busy: directly after the last, never past a hole, and without the log.
#[tokio::test]
async fn what_is_ready_can_be_taken_along() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(600));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let mut subscription = bus.subscription(&log, 0);
    let shutdown = CancellationToken::new();
    assert_eq!(subscription.next_batch(7, &shutdown).await.unwrap().len(), 7);
    log.set_down(true);
    let mut taken = 7;
    while taken < 600 {
        let next = eventually("something is ready", async || {
            match subscription.take_ready(100) {
                ready if ready.is_empty() => Err("nothing".to_owned()),
                ready => Ok(ready),
            }
        })
        .await;
        assert!(next.len() <= 100);
        for event in next {
            taken += 1;
            assert_eq!(event.position.get(), taken);
        }
    }
    assert!(subscription.take_ready(100).is_empty());
    assert_eq!(subscription.last().get(), 600);
}

#[tokio::test]
async fn it_stops_when_told_and_says_when_the_log_began_a_new_life() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(10));
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 10).await;
    let shutdown = CancellationToken::new();
    let expected = log.epoch();
    log.restore_to(8);
    let error = subscription.next_batch(10, &shutdown).await.unwrap_err();
    assert!(
        matches!(error, CatchUpError::EpochChanged { expected: e, found } if e == expected && found == log.epoch()),
        "{error}"
    );
    shutdown.cancel();
    assert!(matches!(
        subscription.next_batch(10, &shutdown).await,
        Err(CatchUpError::Stopped)
    ));
}
