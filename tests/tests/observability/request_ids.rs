//! One id joins everything that follows from a request: the answer, the events, and the log lines of every process.

use envelope::{Metadata, Position};
use serde_json::Value;
use stack::{Options, Process};
use system_tests::{Shop, eventually};
use tokio_postgres::NoTls;

use crate::{log, purchase};

const ID: &str = "checkout-4711";

/// The fields of an event that this test needs.
#[derive(Debug)]
struct Event {
    position: u64,
    kind: String,
    metadata: Metadata,
}

#[tokio::test]
async fn request_id_is_in_the_answer_the_events_and_every_log() {
    let filter = (
        Process::Projector,
        "LOG_FILTER".to_owned(),
        "info,projection=debug".to_owned(),
    );
    let shop = Shop::open(Options {
        env: vec![filter],
        ..Options::default()
    })
    .await;
    let before = last_position(&shop).await;
    let placed = purchase(&shop, "ids", ID, &shop.order()).await;
    assert_eq!(placed.header("x-request-id"), Some(ID));

    // Collecting the money is the last step.
    let events = eventually("the money is collected", async || {
        let events = events_after(&shop, before).await;
        events
            .iter()
            .any(|event| event.kind == "PaymentCaptured")
            .then_some(events)
    })
    .await;
    for event in &events {
        assert_eq!(event.metadata.correlation_id.as_deref(), Some(ID), "{event:?}");
    }
    let one = |kind: &str| {
        let mut found = events.iter().filter(|event| event.kind == kind);
        found.next().unwrap_or_else(|| panic!("no {kind} in {events:?}"))
    };
    assert_eq!(one("OrderPlaced").metadata.request_id.as_deref(), Some(ID));
    // The webhook is another request, and the process managers act because of it.
    let paid = one("OrderPaid");
    assert_ne!(paid.metadata.request_id.as_deref(), Some(ID));
    assert_eq!(paid.metadata.actor.as_deref(), Some("webhook:vipps"));
    for (kind, actor) in [
        ("LicenseIssued", "process:fulfill"),
        ("OrderFulfilled", "process:fulfill"),
    ] {
        let event = one(kind);
        assert_eq!(event.metadata.request_id, paid.metadata.request_id, "{event:?}");
        assert_eq!(event.metadata.actor.as_deref(), Some(actor), "{event:?}");
        assert_eq!(
            event.metadata.causation_position.map(Position::get),
            Some(paid.position),
            "{event:?}"
        );
    }

    has_line(&shop, Process::CommandApi, |line| {
        line["request_id"] == ID && line["message"] == "request" && line["route"] == "/api/v1/orders"
    })
    .await;
    has_line(&shop, Process::CommandApi, |line| {
        line["correlation_id"] == ID && line["message"] == "licenses issued"
    })
    .await;
    for event in &events {
        let request_id = event.metadata.request_id.as_deref();
        has_line(&shop, Process::Projector, |line| {
            line["position"] == event.position
                && line["request_id"].as_str() == request_id
                && line["correlation_id"] == ID
        })
        .await;
    }
    reading_has_ids_too(&shop).await;
    shop.close().await;
}

async fn reading_has_ids_too(shop: &Shop) {
    let url = format!("{}/api/v1/clubs", shop.system.query_api_url());
    let given = shop
        .http()
        .get(&url)
        .header("X-Request-Id", "reading-1")
        .send()
        .await
        .unwrap();
    assert_eq!(given.headers()["x-request-id"], "reading-1");
    has_line(shop, Process::QueryApi, |line| line["request_id"] == "reading-1").await;
    // An id that could forge a log line is replaced.
    let forged = shop
        .http()
        .get(&url)
        .header("X-Request-Id", "a b")
        .send()
        .await
        .unwrap();
    assert_ne!(forged.headers()["x-request-id"], "a b");
}

async fn has_line(shop: &Shop, process: Process, wanted: impl Fn(&Value) -> bool) {
    eventually(&format!("{process} logs it"), async || {
        log(shop, process).iter().any(&wanted).then_some(())
    })
    .await;
}

async fn events_after(shop: &Shop, position: u64) -> Vec<Event> {
    let (client, connection) = tokio_postgres::connect(&shop.system.databases().events_reader, NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let after = i64::try_from(position).unwrap();
    let query =
        "select position, event_type, metadata::text from events where position > $1 order by position";
    let rows = client.query(query, &[&after]).await.unwrap();
    let event = |row: &tokio_postgres::Row| Event {
        position: row.get::<_, i64>(0).try_into().unwrap(),
        kind: row.get(1),
        metadata: serde_json::from_str(row.get(2)).unwrap(),
    };
    rows.iter().map(event).collect()
}

async fn last_position(shop: &Shop) -> u64 {
    events_after(shop, 0)
        .await
        .last()
        .map_or(0, |event| event.position)
}
