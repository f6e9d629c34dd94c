//! Stream sequence equals log position, for every number of publishers and attempts.

use async_nats::jetstream::consumer::{AckPolicy, pull};
use envelope::{LogReader, PARTITIONS, Position, partition};
use event_bus::{Arrived, Continuity, PublisherOptions, Verdict, decode};
use futures_util::StreamExt;

use crate::log::TestLog;
use crate::nats::{Bus, publish_all};

#[tokio::test]
async fn sequence_equals_position_also_past_the_limit_in_flight() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(500));
    let options = PublisherOptions {
        max_in_flight: 64,
        ..PublisherOptions::default()
    };
    let mut publisher = bus.publisher(options);
    publish_all(&mut publisher, &log).await;
    assert_eq!(publisher.last(), Position::new(500));

    let mut consumer = whole_stream(&bus).await;
    for event in log.events() {
        let message = consumer.next().await.unwrap().unwrap();
        let Arrived { event: arrived, .. } = decode(&message, log.epoch()).unwrap();
        assert_eq!(message.info().unwrap().stream_sequence, event.position.get());
        assert_eq!(arrived, event);
        let subject = format!(
            "{}.{}.thing.ThingHappened.{}",
            bus.stream.subject_prefix,
            partition(event.aggregate_id),
            event.aggregate_id
        );
        assert_eq!(message.subject.as_str(), subject);
    }
}

#[tokio::test]
async fn a_zombie_is_refused_and_doubles_nothing() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(10));
    let mut leader = bus.publisher(PublisherOptions::default());
    let mut zombie = bus.publisher(PublisherOptions::default());
    publish_all(&mut leader, &log).await;
    zombie.resume(&log).await.unwrap();

    log.append(20);
    leader.publish_batch(&log.events()[10..]).await.unwrap();
    let refused = zombie.publish_batch(&log.events()[10..20]).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.acked),
        ("wrong_last_sequence", Position::new(10))
    );
    let again = zombie.publish_batch(&log.events()[10..20]).await.unwrap_err();
    assert_eq!(again.kind, "not_resumed");

    let info = bus.context.get_stream(&bus.stream.name).await.unwrap();
    assert_eq!(info.cached_info().state.messages, 30);
    assert_eq!(zombie.resume(&log).await.unwrap(), Position::new(30));
}

/// The log is restored, and grows again, between two batches of a publisher that noticed nothing.
#[tokio::test]
async fn events_of_another_life_are_never_published_as_of_this_one() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(10));
    let mut publisher = bus.publisher(PublisherOptions::default());
    publish_all(&mut publisher, &log).await;
    publisher.check_epoch(log.epoch()).unwrap();

    log.restore_to(8);
    log.append(5);
    let page = log.read_page(publisher.last(), 100).await.unwrap();
    assert_eq!(page.events.len(), 3);
    let refused = publisher.check_epoch(page.head.epoch).unwrap_err();
    assert_eq!(refused.kind, "epoch_changed");
    let refused = publisher.publish_batch(&page.events).await.unwrap_err();
    assert_eq!(refused.kind, "not_resumed");

    publish_all(&mut publisher, &log).await;
    assert_eq!(publisher.last(), Position::new(13));
    publisher.check_epoch(log.epoch()).unwrap();
}

#[tokio::test]
async fn a_hole_in_what_is_to_be_published_is_refused() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(10));
    let mut publisher = bus.publisher(PublisherOptions::default());
    publisher.resume(&log).await.unwrap();
    let mut events = log.events();
    events.remove(5);
    let refused = publisher.publish_batch(&events).await.unwrap_err();
    assert_eq!(refused.kind, "out_of_order");
    assert_eq!(
        publisher.resume(&log).await.unwrap(),
        Position::new(5),
        "what came before the hole is in the stream"
    );
}

/// Resuming in the middle must stamp the same predecessors as publishing in one go.
#[tokio::test]
async fn each_partition_alone_proves_that_it_is_whole() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(300));
    for end in [1, 150, 299, 300] {
        let mut publisher = bus.publisher(PublisherOptions::default());
        let last = usize::try_from(publisher.resume(&log).await.unwrap().get()).unwrap();
        publisher.publish_batch(&log.events()[last..end]).await.unwrap();
    }
    for number in 0..PARTITIONS {
        let expected: Vec<_> = log
            .events()
            .into_iter()
            .filter(|event| partition(event.aggregate_id) == number)
            .collect();
        let mut seen = Continuity::after(Position::START);
        let arrived = one_partition(&bus, number, expected.len(), &log).await;
        for (arrived, expected) in arrived.iter().zip(&expected) {
            assert_eq!(arrived.event.position, expected.position);
            let verdict = seen.check_link(arrived.event.position, arrived.previous_in_partition);
            assert_eq!(verdict, Verdict::Next, "position {}", arrived.event.position);
        }
    }
}

#[tokio::test]
async fn a_deleted_message_shows_in_its_partition() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(300));
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let events = log.events();
    let number = partition(events[0].aggregate_id);
    let members: Vec<_> = events
        .iter()
        .filter(|event| partition(event.aggregate_id) == number)
        .map(|e| e.position)
        .collect();
    assert!(members.len() > 3);

    // The declared stream forbids deleting; a purge of one subject up to a sequence is what an operator still can do.
    let lost = members[1];
    let subject = subject_of(&bus, &events, lost);
    let live = bus.context.get_stream(&bus.stream.name).await.unwrap();
    assert!(live.delete_message(lost.get()).await.is_err(), "deny_delete");
    live.purge()
        .filter(subject)
        .sequence(lost.get() + 1)
        .await
        .unwrap();

    let mut seen = Continuity::after(members[0]);
    let arrived = one_partition(&bus, number, members.len() - 1, &log).await;
    let next = arrived
        .iter()
        .find(|arrived| arrived.event.position > members[0])
        .unwrap();
    assert_eq!(next.event.position, members[2]);
    assert_eq!(
        seen.check_link(next.event.position, next.previous_in_partition),
        Verdict::Gap
    );
}

/// An event larger than the server takes keeps its place: nothing behind it is held up.
#[tokio::test]
async fn an_oversized_event_keeps_its_place() {
    let (bus, log) = (Bus::shared().await, TestLog::with_events(3));
    log.append_with(&serde_json::json!({"said": "x".repeat(1_100_000)}));
    log.append(3);
    publish_all(&mut bus.publisher(PublisherOptions::default()), &log).await;
    let mut consumer = whole_stream(&bus).await;
    let mut readable = Vec::new();
    for _ in 0..7 {
        let message = consumer.next().await.unwrap().unwrap();
        readable.push(decode(&message, log.epoch()).is_ok());
    }
    assert_eq!(readable, [true, true, true, false, true, true, true]);
}

fn subject_of(bus: &Bus, events: &[envelope::RecordedEvent], position: Position) -> String {
    let event = events.iter().find(|event| event.position == position).unwrap();
    envelope::subject(
        &bus.stream.subject_prefix,
        &event.aggregate_type,
        &event.event_type,
        event.aggregate_id,
    )
}

async fn whole_stream(bus: &Bus) -> pull::Stream {
    consume(bus, String::new()).await
}

async fn one_partition(bus: &Bus, number: u8, count: usize, log: &TestLog) -> Vec<Arrived> {
    let messages = consume(bus, format!("{}.{number}.>", bus.stream.subject_prefix)).await;
    messages
        .take(count)
        .map(|message| decode(&message.unwrap(), log.epoch()).unwrap())
        .collect()
        .await
}

async fn consume(bus: &Bus, filter_subject: String) -> pull::Stream {
    let config = pull::Config {
        ack_policy: AckPolicy::None,
        filter_subject,
        ..pull::Config::default()
    };
    let consumer = bus
        .context
        .create_consumer_on_stream(config, &bus.stream.name)
        .await
        .unwrap();
    consumer.messages().await.unwrap()
}
