//! A subscription hands out 1 … n, each exactly once, also while the stream is wrong, lost or missing.

use envelope::Position;
use event_bus::PublisherOptions;

use crate::log::TestLog;
use crate::nats::{Bus, eventually, follow, publish_all};
use crate::proxy::Proxy;

#[tokio::test]
async fn without_nats_the_log_is_enough() {
    let (bus, log) = (Bus::nowhere().await, TestLog::with_events(700));
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 700).await;
    log.append(5);
    follow(&mut subscription, &log, 705).await;
    assert_eq!(
        (
            subscription.counts().from_log,
            subscription.counts().consumers_opened
        ),
        (705, 0)
    );
    assert!(
        subscription.status().borrow().stream.is_some(),
        "health checks can say so"
    );
}

#[tokio::test]
async fn a_deleted_purged_or_recreated_stream_loses_and_doubles_nothing() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(100));
    let options = PublisherOptions {
        backlog: 20,
        ..PublisherOptions::default()
    };
    let mut relay = bus.publisher(options);
    publish_all(&mut relay, &log).await;
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 50).await;

    bus.context.delete_stream(&bus.stream.name).await.unwrap();
    log.append(100);
    follow(&mut subscription, &log, 150).await;
    publish_all(&mut relay, &log).await;
    log.append(100);
    publish_all(&mut relay, &log).await;
    follow(&mut subscription, &log, 250).await;

    bus.context
        .get_stream(&bus.stream.name)
        .await
        .unwrap()
        .purge()
        .await
        .unwrap();
    log.append(100);
    publish_all(&mut relay, &log).await;
    follow(&mut subscription, &log, 400).await;
    assert!(subscription.counts().from_log > 0, "{:?}", subscription.counts());

    // In the end it is back on the stream.
    let before = subscription.counts().from_stream;
    eventually("events come over the stream again", async || {
        log.append(1);
        publish_all(&mut relay, &log).await;
        follow(&mut subscription, &log, log.events().len() as u64).await;
        if subscription.counts().from_stream > before {
            Ok(())
        } else {
            Err(format!("{:?}", subscription.counts()))
        }
    })
    .await;
}

#[tokio::test]
async fn a_killed_and_wiped_server_loses_and_doubles_nothing() {
    let (bus, log) = (Bus::own().await, TestLog::with_events(200));
    let mut relay = bus.publisher(PublisherOptions {
        backlog: 50,
        ..PublisherOptions::default()
    });
    publish_all(&mut relay, &log).await;
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 100).await;

    bus.kill_and_wipe().await;
    log.append(200);
    follow(&mut subscription, &log, 300).await;
    bus.start().await;
    publish_all(&mut relay, &log).await;
    log.append(200);
    publish_all(&mut relay, &log).await;
    follow(&mut subscription, &log, 600).await;
    let opened = subscription.counts().consumers_opened;
    assert!(opened >= 1, "{:?}", subscription.counts());
}

/// A stream with foreign messages: not JSON, events of another epoch, events at the wrong place, and some
/// right ones in between.
#[tokio::test]
async fn whatever_stands_in_the_stream_only_the_log_is_believed() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(60));
    let mut relay = bus.publisher(PublisherOptions {
        backlog: 60,
        ..PublisherOptions::default()
    });
    eventually("declared", async || {
        relay.resume(&log).await.map_err(|error| error.to_string())
    })
    .await;
    let other_life = TestLog::with_events(60);
    let events = log.events();
    relay.publish_batch(&events[..10]).await.unwrap();
    for number in 10..20_usize {
        let (body, epoch) = match number % 4 {
            0 => ("not json".to_owned(), log.epoch()),
            1 => (
                serde_json::to_string(&other_life.events()[number]).unwrap(),
                other_life.epoch(),
            ),
            2 => (serde_json::to_string(&events[number - 3]).unwrap(), log.epoch()),
            _ => (serde_json::to_string(&events[number + 5]).unwrap(), log.epoch()),
        };
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("log-epoch", epoch.to_string());
        headers.insert("prev-position", "1");
        let ack = bus
            .context
            .publish_with_headers(
                format!("{}.0.junk", bus.stream.subject_prefix),
                headers,
                body.into(),
            )
            .await
            .unwrap();
        assert_eq!(ack.await.unwrap().sequence, number as u64 + 1);
    }
    assert_eq!(relay.resume(&log).await.unwrap(), Position::new(20));
    relay.publish_batch(&events[20..]).await.unwrap();

    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 60).await;
    assert!(
        subscription.counts().untrusted >= 1,
        "{:?}",
        subscription.counts()
    );
    assert!(
        subscription.counts().from_log >= 10,
        "{:?}",
        subscription.counts()
    );
}

#[tokio::test]
async fn with_both_down_it_waits_and_says_why() {
    let (bus, log) = (Bus::nowhere().await, TestLog::with_events(20));
    log.set_down(true);
    let mut subscription = bus.subscription(&log, 0);
    let mut status = subscription.status();
    let shutdown = tokio_util::sync::CancellationToken::new();
    {
        let waiting = subscription.next_batch(100, &shutdown);
        let both_said = status.wait_for(|status| status.stream.is_some() && status.log.is_some());
        tokio::select! {
            run = waiting => panic!("nothing can be read, yet there is {run:?}"),
            said = both_said => assert_eq!(said.unwrap().log.as_deref(), Some("the log is down")),
        }
    }
    // Dropped while it waited, and nothing is lost by that.
    log.set_down(false);
    follow(&mut subscription, &log, 20).await;
    assert!(subscription.status().borrow().log.is_none());
}

/// Whatever the network does to messages: 1, 2, 3 … and nothing else. Each seed is another network.
#[tokio::test]
async fn lost_doubled_delayed_and_reordered_messages_change_nothing() {
    for seed in 0..6 {
        let (bus, log) = (Bus::shared().await, TestLog::with_events(1_000));
        let mut relay = bus.publisher(PublisherOptions::default());
        publish_all(&mut relay, &log).await;
        let proxy = Proxy::before(bus.servers.as_ref().unwrap().nats().url(), seed).await;
        let through = Bus {
            context: event_bus::connect(&proxy.url, "through the proxy").await.unwrap(),
            stream: bus.stream.clone(),
            servers: None,
        };
        // From the beginning, so that the stream is what is read, and then as the log grows.
        let mut subscription = through.subscription(&log, 0);
        for _ in 0..20 {
            let head = log.events().len() as u64;
            follow(&mut subscription, &log, head).await;
            log.append(25);
            publish_all(&mut relay, &log).await;
        }
        follow(&mut subscription, &log, 1_500).await;
        let (done, counts) = (proxy.done(), subscription.counts());
        assert!(
            done.passed > 0 && done.dropped > 0 && done.doubled > 0 && done.delayed > 0,
            "seed {seed}: {done:?}"
        );
        assert!(
            counts.from_stream > 0 && counts.gaps_refilled > 0 && counts.dropped_old > 0,
            "seed {seed}: {counts:?}"
        );
        assert_eq!(counts.untrusted, 0, "seed {seed}");
    }
}
