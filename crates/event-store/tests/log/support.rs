//! A log of its own for every test, and a small aggregate to write to it.

use std::future::Future;
use std::time::{Duration, Instant};

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use deadpool_postgres::{Manager, Pool};
use envelope::{DecodeError, EventPayload, Metadata};
use event_store::{
    Append, Appender, AppenderOptions, Executor, IdempotencyKey, Loader, LoaderOptions, Log, NewEvent,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stack::{Databases, Postgres};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A migrated, empty log.
pub(crate) struct TestLog {
    pub(crate) url: String,
    pub(crate) log: Log,
}

impl TestLog {
    pub(crate) async fn new() -> Self {
        Self::at(empty_database().await).await
    }

    /// On a server that this test has for itself.
    pub(crate) async fn on(postgres: &Postgres) -> Self {
        let databases = Databases::fresh(postgres.server().url()).await.unwrap();
        Self::at(databases.events_owner).await
    }

    async fn at(url: String) -> Self {
        event_store::migrate(&url).await.unwrap();
        Self {
            log: Log::new(pool(&url)),
            url,
        }
    }

    pub(crate) fn appender(&self, options: AppenderOptions) -> Appender {
        Appender::start(&self.url, options).unwrap().0
    }

    pub(crate) fn executor(&self) -> Executor {
        Executor::new(
            self.log.clone(),
            self.loader(LoaderOptions::default()),
            self.appender(AppenderOptions::default()),
        )
    }

    pub(crate) fn loader(&self, options: LoaderOptions) -> Loader {
        Loader::start(&self.url, options).unwrap()
    }

    /// Until somebody waits for a lock in this log: for the head, if that is held.
    pub(crate) async fn somebody_waits(&self) {
        let watcher = self.client().await;
        eventually("somebody waits for the head", async || {
            let waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            watcher.query_opt(waiting, &[]).await.unwrap()
        })
        .await;
    }

    /// A connection of the log's owner, for what no part of the product does.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

pub(crate) async fn empty_database() -> String {
    let servers = stack::shared().await.unwrap();
    Databases::fresh(servers.postgres().url())
        .await
        .unwrap()
        .events_owner
}

pub(crate) fn pool(url: &str) -> Pool {
    Pool::builder(Manager::new(url.parse().unwrap(), NoTls))
        .max_size(4)
        .build()
        .unwrap()
}

/// Waits until `condition` gives something, ten seconds at most.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn key(key: impl Into<String>) -> IdempotencyKey {
    IdempotencyKey {
        scope: "test".into(),
        key: key.into(),
        request_hash: vec![1],
    }
}

/// One `Counted` event that expects `sequence`.
pub(crate) fn append(key: IdempotencyKey, aggregate_id: Uuid, sequence: u64) -> Append {
    append_payload(key, aggregate_id, sequence, r#"{"by":1}"#)
}

pub(crate) fn append_payload(
    key: IdempotencyKey,
    aggregate_id: Uuid,
    sequence: u64,
    payload: &str,
) -> Append {
    Append {
        response: format!(r#"{{"sequence":{sequence}}}"#),
        events: vec![NewEvent {
            aggregate_type: Counter::TYPE,
            aggregate_id,
            sequence,
            event_type: "Counted",
            event_version: "1",
            payload: RawValue::from_string(payload.into()).unwrap(),
        }],
        metadata: Metadata {
            request_id: Some(key.key.clone()),
            ..Metadata::default()
        },
        key,
    }
}

/// Counts, and refuses to go below zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) total: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum CounterEvent {
    Counted { by: i64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) i64);

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("below zero")]
pub(crate) struct BelowZero;

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Command = Count;
    type Event = CounterEvent;
    type Error = BelowZero;
    type Services = ();

    async fn handle(&mut self, Count(by): Count, (): &(), sink: &EventSink<Self>) -> Result<(), BelowZero> {
        if self.total + by < 0 {
            return Err(BelowZero);
        }
        if by != 0 {
            sink.write(CounterEvent::Counted { by }, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, CounterEvent::Counted { by }: CounterEvent) {
        self.total += by;
    }
}

impl DomainEvent for CounterEvent {
    fn event_type(&self) -> String {
        "Counted".into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

#[derive(Serialize, Deserialize)]
struct Counted {
    by: i64,
}

impl EventPayload for CounterEvent {
    fn event_type(&self) -> &'static str {
        "Counted"
    }

    fn event_version(&self) -> &'static str {
        "1"
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        let Self::Counted { by } = self;
        serde_json::value::to_raw_value(&Counted { by: *by })
    }

    fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Self, DecodeError> {
        serde_json::from_str::<Counted>(payload)
            .map(|Counted { by }| Self::Counted { by })
            .map_err(|error| DecodeError::malformed(event_type, event_version, &error))
    }
}
