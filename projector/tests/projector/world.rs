//! A log, a relay, a read database, and the projectors that a test starts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use envelope::{LogPage, Metadata, Position};
use event_bus::{Publisher, PublisherOptions, StreamConfig, TailError};
use event_store::{Append, Appender, AppenderOptions, Claims, IdempotencyKey, Log, NewEvent};
use projection::{Digest, Follower, Parts, Projection};
use projector::{Licensing, Reports};
use service::health::Health;
use service::postgres::PoolOptions;
use stack::{Databases, Postgres, Servers};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) servers: Arc<Servers>,
    pub(crate) databases: Databases,
    pub(crate) log: Log,
    pub(crate) read: Pool,
    /// In the schema of the reports.
    pub(crate) reports: Pool,
    pub(crate) stream: StreamConfig,
    appender: Appender,
    end: CancellationToken,
}

/// A projector that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) health: Health,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    /// On the servers that all tests share.
    pub(crate) async fn shared() -> Self {
        Self::on(stack::shared().await.unwrap()).await
    }

    /// On servers of its own, to be killed and wiped.
    pub(crate) async fn own() -> Self {
        Self::on(Arc::new(Servers::temporary().await.unwrap())).await
    }

    async fn on(servers: Arc<Servers>) -> Self {
        let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
        Self::with(servers, databases).await
    }

    /// On the servers that all tests share, but for the log, which has one of its own.
    pub(crate) async fn with_log_on(postgres: &Postgres) -> Self {
        let servers = stack::shared().await.unwrap();
        let mut databases = Databases::fresh(servers.postgres().url()).await.unwrap();
        let log = Databases::fresh(postgres.server().url()).await.unwrap();
        (databases.events_owner, databases.events_reader) = (log.events_owner, log.events_reader);
        Self::with(servers, databases).await
    }

    async fn with(servers: Arc<Servers>, databases: Databases) -> Self {
        event_store::migrate(&databases.events_owner).await.unwrap();
        read_model::migrate(&databases.read_owner).await.unwrap();
        projection::migrate(&Reports, &databases.read_owner)
            .await
            .unwrap();
        let (appender, _) = Appender::start(&databases.events_owner, AppenderOptions::default()).unwrap();
        let name = Uuid::new_v4().simple().to_string();
        Self {
            log: Log::new(pool(&databases.events_reader)),
            read: pool(&databases.read_owner),
            reports: pool_of(&Reports, &databases.read_owner),
            stream: StreamConfig::from_declaration(
                events::STREAM_DECLARATION,
                &format!("LICENSING_{name}"),
                &format!("licensing-{name}.v1"),
            )
            .unwrap(),
            servers,
            databases,
            appender,
            end: CancellationToken::new(),
        }
    }

    /// Appends commands one after the other; gives the last position.
    pub(crate) async fn append(&self, commands: impl IntoIterator<Item = Vec<NewEvent>>) -> Position {
        let mut last = Position::START;
        for events in commands {
            let metadata = Metadata {
                request_id: Some(Uuid::now_v7().to_string()),
                ..Metadata::default()
            };
            let append = Append {
                key: IdempotencyKey::unique(),
                response: "{}".into(),
                events,
                claims: Claims::default(),
                metadata,
            };
            last = self.appender.append(append).await.unwrap().position;
        }
        last
    }

    /// Publishes the log for as long as the test lasts, as command-api does.
    pub(crate) async fn relay(&self) {
        let context = event_bus::connect(self.servers.nats().url(), "relay test")
            .await
            .unwrap();
        let mut publisher = Publisher::new(context, self.stream.clone(), PublisherOptions::default());
        let (log, end) = (Log::new(pool(&self.databases.events_owner)), self.end.clone());
        let mut head_watch = event_store::listen(&self.databases.events_reader, end.clone()).unwrap();
        tokio::spawn(end.run_until_cancelled_owned(async move {
            loop {
                if let Err(Some((epoch, why))) = publish(&mut publisher, &log, &mut head_watch).await {
                    log.begin_epoch(epoch, &why).await.ok();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }));
    }

    /// Publishes what the log holds now, and no more; gives the position reached.
    pub(crate) async fn publish_once(&self) -> Position {
        let context = event_bus::connect(self.servers.nats().url(), "relay test")
            .await
            .unwrap();
        let mut publisher = Publisher::new(context, self.stream.clone(), PublisherOptions::default());
        let mut last = publisher.resume(&self.log).await.unwrap();
        loop {
            let events = self.log.read_after(last, 1_000).await.unwrap();
            if events.is_empty() {
                return last;
            }
            last = publisher.publish_batch(&events).await.unwrap();
        }
    }

    /// Runs statements in the events database that no program runs.
    pub(crate) async fn as_events_owner(&self, sql: &str) {
        let (owner, connection) =
            tokio_postgres::connect(&self.databases.events_owner, tokio_postgres::NoTls)
                .await
                .unwrap();
        let driver = tokio::spawn(connection);
        owner.batch_execute(sql).await.unwrap();
        drop(owner);
        driver.await.unwrap().unwrap();
    }

    /// Starts a projector.
    pub(crate) async fn projector(&self) -> Running {
        self.start_following(Licensing, "projector").await
    }

    /// Starts a projector of the reports.
    pub(crate) async fn reports_projector(&self) -> Running {
        self.start_following(Reports, "projector_reports").await
    }

    async fn start_following<P: Projection>(&self, projection: P, subscription: &'static str) -> Running {
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone());
        let parts = Parts {
            read: pool_of(&projection, &self.databases.read_owner),
            projection,
            read_url: self.databases.read_owner.clone(),
            log: self.log.clone(),
            head_watch: event_store::listen(&self.databases.events_reader, stop.clone()).unwrap(),
            bus: event_bus::connect(self.servers.nats().url(), "projector test")
                .await
                .unwrap(),
            stream: self.stream.clone(),
            subscription,
            check: health.check("projection"),
            check_stream: health.check("nats"),
        };
        let token = stop.clone();
        let task = tokio::spawn(async move { Follower::new(parts).run(&token).await });
        Running { health, stop, task }
    }

    /// How far the rows have come; 0 while the database can't be asked.
    pub(crate) async fn projected(&self) -> u64 {
        let Ok(client) = self.read.get().await else {
            return 0;
        };
        read_model::checkpoint::read(&**client)
            .await
            .map_or(0, |checkpoint| checkpoint.position)
    }

    /// Waits until the rows have come to a position.
    pub(crate) async fn projected_to(&self, position: Position) {
        eventually(&format!("the rows are at {position}"), async || {
            let at = self.projected().await;
            if at == position.get() {
                Ok(())
            } else {
                Err(format!("they are at {at}"))
            }
        })
        .await;
    }

    pub(crate) async fn digest(&self) -> BTreeMap<String, Digest> {
        let client = self.read.get().await.unwrap();
        projection::digest(&client).await.unwrap()
    }

    /// Holds that the rows are what a replay of the whole log gives.
    pub(crate) async fn assert_equals_replay(&self) {
        self.assert_replay_of(&Licensing, &self.read).await;
    }

    /// Holds that the reports are what a replay of the whole log gives.
    pub(crate) async fn assert_reports_equal_replay(&self) {
        self.assert_replay_of(&Reports, &self.reports).await;
    }

    async fn assert_replay_of(&self, projection: &impl Projection, live: &Pool) {
        let other = Databases::fresh(self.servers.postgres().url()).await.unwrap();
        let reached = projection::replay_into(projection, &other.read_owner, &self.log)
            .await
            .unwrap();
        assert_eq!(reached, self.log.head().await.unwrap().position);
        let client = pool_of(projection, &other.read_owner).get().await.unwrap();
        let replayed = projection::digest(&client).await.unwrap();
        let client = live.get().await.unwrap();
        assert_eq!(projection::digest(&client).await.unwrap(), replayed);
    }

    /// One value from the read database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.read
            .get()
            .await
            .unwrap()
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// Publishes until something fails; if the log was restored, gives the epoch that ends with it, and why.
async fn publish(
    publisher: &mut Publisher,
    log: &Log,
    head_watch: &mut watch::Receiver<Position>,
) -> Result<Infallible, Option<(Uuid, String)>> {
    let epoch = log.head().await.map_err(|_| None)?.epoch;
    let noticed = |error: TailError| match error {
        TailError::Contradicted(_) => Some((epoch, error.to_string())),
        _ => None,
    };
    let mut tail = publisher.tail(epoch).await.map_err(noticed)?;
    tail.check(log).await.map_err(noticed)?;
    publisher.resume(log).await.map_err(|_| None)?;
    loop {
        let LogPage { head, events } = tail
            .read_on(log, publisher.before(), 1_000)
            .await
            .map_err(noticed)?;
        publisher.check_epoch(head.epoch).map_err(|_| None)?;
        if events.is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(200), head_watch.changed()).await;
            continue;
        }
        publisher.publish_batch(&events).await.map_err(|_| None)?;
        tail = tail.then(&events);
    }
}

/// A pool that finds the tables of a projection.
fn pool_of(projection: &impl Projection, url: &str) -> Pool {
    let options = PoolOptions {
        db_pool_size: 3,
        ..PoolOptions::default()
    };
    projection::pool(projection, url, &options, "projector test").unwrap()
}

pub(crate) fn pool(url: &str) -> Pool {
    let options = PoolOptions {
        db_pool_size: 3,
        ..PoolOptions::default()
    };
    service::postgres::pool(url, &options, "projector test").unwrap()
}

/// Tries until it succeeds, a minute at most.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    let trying = async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(Duration::from_mins(1), trying).await {
        Ok(value) => value,
        Err(elapsed) => panic!("not in time: {what}; the last attempt said: {last} ({elapsed})"),
    }
}
