//! A subscription while the server's storage loses its tail, or is full.

use std::path::Path;

use event_bus::{CatchUpCounts, PublisherOptions};

use crate::log::TestLog;
use crate::nats::{Bus, eventually, follow, publish_all};

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// As after a power cut: acknowledged messages are gone, the stream is at an earlier point, in the same epoch of the log.
#[tokio::test]
async fn a_lost_tail_of_the_stream_loses_and_doubles_nothing() {
    let (bus, log) = (Bus::own().await, TestLog::with_events(200));
    let nats = bus.servers.as_ref().unwrap().nats();
    let mut relay = bus.publisher(PublisherOptions::default());
    publish_all(&mut relay, &log).await;
    // One is at the end of what will be lost, one within what stays, and one within what is lost.
    let (mut ahead, mut behind, mut between) = (
        bus.subscription(&log, 0),
        bus.subscription(&log, 0),
        bus.subscription(&log, 0),
    );
    follow(&mut ahead, &log, 200).await;
    follow(&mut behind, &log, 100).await;

    nats.stop().await.unwrap();
    let (store, copy) = (
        nats.data_dir().unwrap(),
        nats.data_dir().unwrap().with_extension("before"),
    );
    copy_dir(store, &copy);
    nats.start().await.unwrap();
    log.append(200);
    publish_all(&mut relay, &log).await;
    follow(&mut ahead, &log, 400).await;
    follow(&mut between, &log, 300).await;
    assert_eq!(bus.info().await.state.last_sequence, 400);

    nats.stop().await.unwrap();
    std::fs::remove_dir_all(store).unwrap();
    copy_dir(&copy, store);
    nats.start().await.unwrap();
    let at = eventually("the stream is there", async || {
        let stream = bus.context.get_stream(&bus.stream.name).await;
        stream
            .map(|stream| stream.cached_info().state.last_sequence)
            .map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(at, 200, "the tail is lost");
    // New events would take the sequences of the lost ones, but the relay compares stream and log first.
    log.append(100);
    publish_all(&mut relay, &log).await;
    let state = bus.info().await.state;
    assert_eq!(
        (state.first_sequence, state.last_sequence, state.messages),
        (1, 500, 500)
    );
    for subscription in [&mut ahead, &mut behind, &mut between] {
        follow(subscription, &log, 500).await;
    }
}

/// No message may come before what it was asked for: async-nats's own ordered consumer begins at 1 again here.
#[tokio::test]
async fn a_consumer_made_again_before_its_first_message_begins_where_it_was() {
    let (bus, log) = (Bus::own().await, TestLog::with_events(300));
    let mut relay = bus.publisher(PublisherOptions::default());
    publish_all(&mut relay, &log).await;
    let mut subscription = bus.subscription(&log, 300);
    let shutdown = tokio_util::sync::CancellationToken::new();
    for opened in 1..=3 {
        // It is open, and has had nothing to deliver.
        eventually("the consumer is open", async || {
            let waiting = subscription.next_batch(10, &shutdown);
            let none = tokio::time::timeout(std::time::Duration::from_millis(50), waiting).await;
            assert!(none.is_err(), "there is nothing new: {none:?}");
            let counts = subscription.counts();
            if counts.consumers_opened >= opened && subscription.status().borrow().stream.is_none() {
                Ok(())
            } else {
                Err(format!("{counts:?}"))
            }
        })
        .await;
        // It is in memory: the server loses it.
        bus.servers.as_ref().unwrap().nats().kill().await.unwrap();
        bus.start().await;
    }
    log.append(20);
    publish_all(&mut relay, &log).await;
    follow(&mut subscription, &log, 320).await;
    let CatchUpCounts {
        dropped_old,
        untrusted,
        ..
    } = subscription.counts();
    // What came from the log because the stream was late may come again; nothing from before the beginning does.
    assert!(dropped_old <= 20 && untrusted == 0, "{:?}", subscription.counts());
}

/// Publishing stops with a reason, reading goes on, and with room again the stream is completed.
#[tokio::test]
async fn a_full_store_stops_the_stream_and_nothing_else() {
    let (bus, log) = (Bus::own().await, TestLog::with_events(10));
    let nats = bus.servers.as_ref().unwrap().nats();
    let room = async |before: &str, now: &str| {
        nats.stop().await.unwrap();
        let file = nats.data_dir().unwrap().with_file_name("server.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(before), "{text}");
        std::fs::write(&file, text.replace(before, now)).unwrap();
        nats.start().await.unwrap();
    };
    room("max_file_store: 8GB", "max_file_store: 100KB").await;
    let mut relay = bus.publisher(PublisherOptions::default());
    publish_all(&mut relay, &log).await;
    let mut subscription = bus.subscription(&log, 0);
    follow(&mut subscription, &log, 10).await;
    log.append(1_000);
    let full = eventually("the store is full", async || {
        let last = relay.resume(&log).await.map_err(|error| error.to_string())?;
        let rest = &log.events()[usize::try_from(last.get()).unwrap()..];
        match relay.publish_batch(rest).await {
            Err(error) if error.kind == "full" => Ok(error.to_string()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(
        full.contains("insufficient") || full.contains("exceeded"),
        "{full}"
    );
    let held = bus.info().await.state.last_sequence;
    assert!((10..1_010).contains(&held), "{held}");
    follow(&mut subscription, &log, 1_010).await;
    log.append(10);
    follow(&mut subscription, &log, 1_020).await;
    assert!(subscription.counts().from_log > 0, "{:?}", subscription.counts());

    room("max_file_store: 100KB", "max_file_store: 8GB").await;
    publish_all(&mut relay, &log).await;
    let state = bus.info().await.state;
    assert_eq!((state.messages, state.last_sequence), (1_020, 1_020));
    log.append(10);
    publish_all(&mut relay, &log).await;
    follow(&mut subscription, &log, 1_030).await;
}
