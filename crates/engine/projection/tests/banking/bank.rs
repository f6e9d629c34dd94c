//! A log, a relay and a read database for one test, and as many projectors as it starts.

use std::sync::Arc;
use std::time::Duration;

use connect::Database;
use deadpool_postgres::Pool;
use envelope::{Metadata, Position};
use event_bus::{Access, Publisher, PublisherOptions, StreamConfig};
use event_store::{Append, Appender, AppenderOptions, Claims, IdempotencyKey, Log, NewEvent};
use projection::{Follower, Limits, Parts, Projection, Report, Runner, Sources, VerifyOptions, checkpoint};
use serde_json::Value;
use service::health::Health;
use service::postgres::PoolOptions;
use stack::{Databases, Servers};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::events::{DEPOSITED, OPENED, WITHDRAWN, event};

pub(crate) struct Bank {
    pub(crate) servers: Arc<Servers>,
    pub(crate) databases: Databases,
    pub(crate) log: Log,
    stream: StreamConfig,
    appender: Appender,
}

/// A projector that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) health: Health,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

const LIMITS: Limits = Limits {
    max_lag_positions: 1_000,
    max_lag_s: 60,
};

impl Bank {
    pub(crate) async fn open() -> Self {
        let servers = stack::shared().await.unwrap();
        let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
        event_store::migrate(&databases.events_owner).await.unwrap();
        let (appender, _) = Appender::start(&databases.events_owner, AppenderOptions::default()).unwrap();
        let name = Uuid::new_v4().simple().to_string();
        Self {
            log: Log::new(
                service::postgres::pool(&databases.events_reader, &PoolOptions::default(), "bank").unwrap(),
            ),
            stream: StreamConfig::from_declaration(
                r#"{"storage": "file", "deny_delete": true, "allow_direct": true}"#,
                &format!("BANK_{name}"),
                &format!("bank-{name}.v1"),
            )
            .unwrap(),
            servers,
            databases,
            appender,
        }
    }

    /// Appends one command; gives its position.
    pub(crate) async fn append(&self, events: Vec<NewEvent>) -> Position {
        let append = Append {
            key: IdempotencyKey::unique(),
            response: "{}".into(),
            events,
            claims: Claims::default(),
            metadata: Metadata::default(),
        };
        self.appender.append(append).await.unwrap().position
    }

    /// New accounts with three events each; gives the last position.
    pub(crate) async fn savers(&self, count: i64) -> Position {
        let mut last = Position::START;
        for number in 1..=count {
            let account = Uuid::now_v7();
            last = self
                .append(vec![
                    event(account, 1, OPENED, 100 * number),
                    event(account, 2, DEPOSITED, 50),
                    event(account, 3, WITHDRAWN, 30),
                ])
                .await;
        }
        last
    }

    /// Publishes what the log holds now.
    pub(crate) async fn publish(&self) {
        let bus = event_bus::connect(self.servers.nats().url(), "bank relay")
            .await
            .unwrap();
        let mut publisher = Publisher::new(bus, self.stream.clone(), PublisherOptions::default());
        let mut last = publisher.resume(&self.log).await.unwrap();
        loop {
            let events = self.log.read_after(last, 1_000).await.unwrap();
            if events.is_empty() {
                return;
            }
            last = publisher.publish_batch(&events).await.unwrap();
        }
    }

    /// The read database as the projection sees it.
    pub(crate) fn pool(&self, projection: &impl Projection) -> Pool {
        projection::pool(
            projection,
            &self.databases.read_owner,
            &PoolOptions::default(),
            "bank test",
        )
        .unwrap()
    }

    pub(crate) async fn migrate(&self, projection: &impl Projection) -> usize {
        projection::migrate(projection, &self.databases.read_owner)
            .await
            .unwrap()
    }

    pub(crate) async fn start(&self, projection: impl Projection) -> Running {
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone());
        let parts = Parts {
            read: self.pool(&projection),
            projection,
            read_url: self.databases.read_owner.clone(),
            log: self.log.clone(),
            head_watch: event_store::listen(&self.databases.events_reader, stop.clone()).unwrap(),
            bus: event_bus::connect(self.servers.nats().url(), "bank projector")
                .await
                .unwrap(),
            stream: self.stream.clone(),
            subscription: "bank",
            check: health.check("projection"),
            check_stream: health.check("nats"),
        };
        let token = stop.clone();
        let task = tokio::spawn(async move { Follower::new(parts).run(&token).await });
        Running { health, stop, task }
    }

    pub(crate) async fn position(&self, projection: &impl Projection) -> Position {
        let client = self.pool(projection).get().await.unwrap();
        checkpoint::read(&client, projection).await.unwrap().position
    }

    pub(crate) async fn projected_to(&self, projection: &impl Projection, position: Position) {
        eventually(&format!("the rows are at {position}"), async || {
            self.position(projection).await == position
        })
        .await;
    }

    /// One text from the tables of a projection.
    pub(crate) async fn ask(&self, projection: &impl Projection, sql: &str) -> String {
        let client = self.pool(projection).get().await.unwrap();
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn execute(&self, projection: &impl Projection, sql: &str) {
        let client = self.pool(projection).get().await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    /// The payloads of notifications on a channel, from now on.
    pub(crate) async fn listen(&self, channel: &'static str) -> UnboundedReceiver<String> {
        let (heard, payloads) = unbounded_channel();
        let database = Database::parse(&self.databases.read_owner).unwrap();
        let statement = format!("listen {channel}");
        let hear = move |payload: &str| heard.send(payload.to_owned()).unwrap_or_default();
        let listening = statement.clone();
        tokio::spawn(async move { connect::listen(database, channel, &statement, hear).await });
        let pool = service::postgres::pool(&self.databases.read_owner, &PoolOptions::default(), "bank");
        let client = pool.unwrap().get().await.unwrap();
        let there = "select from pg_stat_activity where query = $1 and datname = current_database()";
        eventually("it listens", async || {
            client.query_opt(there, &[&listening]).await.unwrap().is_some()
        })
        .await;
        payloads
    }

    pub(crate) async fn execute_in_log(&self, sql: &str) {
        let pool = service::postgres::pool(&self.databases.events_owner, &PoolOptions::default(), "bank");
        let client = pool.unwrap().get().await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn status(&self, projection: &impl Projection) -> Value {
        let report = projection::status(projection, &self.sources(), LIMITS, &Runner::default()).await;
        report.value()
    }

    pub(crate) async fn verify(&self, projection: &impl Projection) -> Report {
        let options = VerifyOptions {
            stream_sample: 0,
            statement_timeout_s: 0,
            limits: LIMITS,
        };
        projection::verify(projection, &self.sources(), &options, &Runner::default()).await
    }

    fn sources(&self) -> Sources {
        Sources {
            events_url: self.databases.events_reader.clone(),
            read_url: self.databases.read_owner.clone(),
            vault: None,
            bus: Access {
                url: self.servers.nats().url().to_owned(),
                ..Access::default()
            },
            stream: self.stream.name.clone(),
        }
    }
}

/// Waits until the condition holds, a minute at most.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(waited.is_ok(), "not in time: {what}");
}
