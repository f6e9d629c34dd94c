//! A log of its own for every test, and a small aggregate to write to it.

use std::future::Future;
use std::time::{Duration, Instant};

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use deadpool_postgres::{Manager, Pool};
use envelope::{DecodeError, EventPayload, Metadata};
use event_store::{
    Append, AppendError, Appended, Appender, AppenderOptions, Claim, Claims, CommandHandler, IdempotencyKey,
    Loader, LoaderOptions, Log, NewEvent, Release,
};
use futures_util::future::join_all;
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

    pub(crate) async fn at(url: String) -> Self {
        event_store::migrate(&url).await.unwrap();
        Self {
            log: Log::new(pool(&url)),
            url,
        }
    }

    pub(crate) fn appender(&self, options: AppenderOptions) -> Appender {
        Appender::start(&self.url, options).unwrap().0
    }

    pub(crate) fn command_handler(&self) -> CommandHandler {
        CommandHandler::new(
            self.log.clone(),
            self.loader(LoaderOptions::default()),
            self.appender(AppenderOptions::default()),
        )
    }

    pub(crate) fn loader(&self, options: LoaderOptions) -> Loader {
        Loader::start(&self.url, options).unwrap()
    }

    /// Waits until a session waits for a lock in this log, for example for the held head.
    pub(crate) async fn a_session_waits(&self) {
        let watcher = self.client().await;
        eventually("somebody waits for the head", async || {
            let waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            watcher.query_opt(waiting, &[]).await.unwrap()
        })
        .await;
    }

    /// From now on the database takes no event of type `Unstorable`.
    pub(crate) async fn refuse_unstorable(&self) {
        let refuse = "alter table events add constraint storable check (event_type <> 'Unstorable')";
        self.client().await.batch_execute(refuse).await.unwrap();
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

/// Sends all `appends` so that they meet in one batch, in this order, by holding the head while a first one waits for it.
pub(crate) async fn in_one_batch(test: &TestLog, appends: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
    in_one_batch_of(test, &test.appender(AppenderOptions::default()), appends).await
}

/// As `in_one_batch`, sent by this appender.
pub(crate) async fn in_one_batch_of(
    test: &TestLog,
    appender: &Appender,
    appends: Vec<Append>,
) -> Vec<Result<Appended, AppendError>> {
    let mut owner = test.client().await;
    let held = owner.transaction().await.unwrap();
    held.execute("select from log_head for update", &[])
        .await
        .unwrap();
    let first = tokio::spawn({
        let appender = appender.clone();
        async move {
            appender
                .append(append(IdempotencyKey::unique(), Uuid::now_v7(), 1))
                .await
        }
    });
    test.a_session_waits().await;
    let rest = appends.into_iter().map(|append| {
        let appender = appender.clone();
        tokio::spawn(async move { appender.append(append).await })
    });
    let rest: Vec<_> = rest.collect();
    tokio::task::yield_now().await;
    held.commit().await.unwrap();
    first.await.unwrap().unwrap();
    join_all(rest).await.into_iter().map(Result::unwrap).collect()
}

/// Who holds the claim, by slot.
pub(crate) async fn owners(test: &TestLog, scope: &str, key: &str) -> Vec<(i32, Uuid)> {
    let held = "select slot, holder from claims where scope = $1 and key = $2 order by slot";
    let rows = test.client().await.query(held, &[&scope, &key]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Every claim: scope, key, slot and owner.
pub(crate) const ALL_CLAIMS: &str = "select scope, key, slot, holder from claims";

pub(crate) fn key(key: impl Into<String>) -> IdempotencyKey {
    IdempotencyKey::new("test", key, "the request")
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
            aggregate_type: Counter::TYPE.into(),
            aggregate_id,
            sequence,
            event_type: "Counted".into(),
            event_version: "1".into(),
            payload: RawValue::from_string(payload.into()).unwrap(),
        }],
        claims: Claims::default(),
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

/// The claims of counters, for `CommandHandler::claiming`: no two have the same total above zero.
pub(crate) fn distinct_totals(counter: &Counter, aggregate_id: Uuid, events: &[CounterEvent]) -> Claims {
    if events.is_empty() {
        return Claims::default();
    }
    let total = Claim::unique("total", counter.total.to_string(), aggregate_id);
    Claims {
        release: vec![Release::All(aggregate_id)],
        take: if counter.total > 0 { vec![total] } else { vec![] },
        ..Claims::default()
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
