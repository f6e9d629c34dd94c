//! A way out: presented as a view in postgres-es's schema, the log is a store that postgres-es itself reads.

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateContext as _, EventStore};
use event_store::AppenderOptions;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::support::{Counter, TestLog, append_payload, key};

/// postgres-es keeps the id as text and the event as serde's externally tagged enum.
const VIEW: &str = "
    create view postgres_es_events as
    select aggregate_type, aggregate_id::text as aggregate_id, sequence, event_type, event_version,
           json_build_object(event_type, payload::json) as payload, metadata::json as metadata
    from events";

#[tokio::test]
async fn postgres_es_loads_our_streams() {
    let test = TestLog::new().await;
    test.client().await.batch_execute(VIEW).await.unwrap();
    let appender = test.appender(AppenderOptions::default());
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    for (sequence, by) in [(1, 2), (2, 3), (3, -1)] {
        let payload = format!(r#"{{"by":{by}}}"#);
        appender
            .append(append_payload(
                key(format!("a-{sequence}")),
                id,
                sequence,
                &payload,
            ))
            .await
            .unwrap();
        appender
            .append(append_payload(
                key(format!("b-{sequence}")),
                other,
                sequence,
                r#"{"by":7}"#,
            ))
            .await
            .unwrap();
    }
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect(&test.url)
        .await
        .unwrap();
    let repository = PostgresEventRepository::new(pool).with_tables("postgres_es_events", "unused");
    let theirs = PersistedEventStore::<_, Counter>::new_event_store(repository);
    let ours = test.command_handler();
    for id in [id, other] {
        let loaded = theirs
            .load_aggregate(&id.to_string())
            .await
            .unwrap()
            .aggregate()
            .clone();
        assert_eq!(loaded, ours.load::<Counter>(id).await.unwrap().aggregate);
        let events = theirs.load_events(&id.to_string()).await.unwrap();
        let expected = EventStore::<Counter>::load_events(&ours, &id.to_string())
            .await
            .unwrap();
        let facts = |events: Vec<cqrs_es::EventEnvelope<Counter>>| {
            events
                .into_iter()
                .map(|event| (event.sequence, event.payload))
                .collect::<Vec<_>>()
        };
        assert_eq!(facts(events), facts(expected));
    }
    assert_eq!(
        theirs
            .load_aggregate(&id.to_string())
            .await
            .unwrap()
            .aggregate()
            .total,
        4
    );
}
