//! A stream of its own for every test, on a server that it shares or may kill.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::Info;
use envelope::{LogReader, Position};
use event_bus::{CatchUpOptions, CatchUpSubscription, Connection, Publisher, PublisherOptions, StreamConfig};
use stack::Servers;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::log::TestLog;

/// The declaration that the streams of these tests share; names and subjects are replaced.
const DECLARATION: &str = r#"{"description": "The log of a test.", "storage": "file", "retention": "limits",
    "discard": "old", "num_replicas": 1, "max_age": 604800000000000, "deny_delete": true, "allow_direct": true}"#;

pub(crate) struct Bus {
    pub(crate) context: Connection,
    pub(crate) stream: StreamConfig,
    pub(crate) servers: Option<Arc<Servers>>,
}

impl Bus {
    /// On the server that all tests share.
    pub(crate) async fn shared() -> Self {
        let servers = stack::shared().await.unwrap();
        Self::at(servers.nats().url(), Some(Arc::clone(&servers))).await
    }

    /// On a server of its own, to be killed and wiped.
    pub(crate) async fn own() -> Self {
        let servers = Arc::new(Servers::temporary().await.unwrap());
        Self::at(servers.nats().url(), Some(Arc::clone(&servers))).await
    }

    /// An address without a server.
    pub(crate) async fn nowhere() -> Self {
        Self::at("nats://127.0.0.1:1", None).await
    }

    async fn at(url: &str, servers: Option<Arc<Servers>>) -> Self {
        let context = event_bus::connect(url, "event-bus test").await.unwrap();
        let name = Uuid::new_v4().simple().to_string();
        let stream = StreamConfig::from_declaration(
            DECLARATION,
            &format!("THINGS_{name}"),
            &format!("things-{name}.v1"),
        )
        .unwrap();
        Self {
            context,
            stream,
            servers,
        }
    }

    pub(crate) async fn kill_and_wipe(&self) {
        let nats = self.servers.as_ref().unwrap().nats();
        nats.kill().await.unwrap();
        std::fs::remove_dir_all(nats.data_dir().unwrap()).unwrap();
    }

    pub(crate) async fn start(&self) {
        self.servers.as_ref().unwrap().nats().start().await.unwrap();
    }

    pub(crate) fn publisher(&self, options: PublisherOptions) -> Publisher {
        Publisher::new(self.context.clone(), self.stream.clone(), options)
    }

    pub(crate) fn subscription(&self, log: &TestLog, after: u64) -> CatchUpSubscription<TestLog> {
        // Impatient where that costs nothing, so that the tests of faults are short.
        let options = CatchUpOptions {
            name: "test".into(),
            heartbeat: Duration::from_millis(500),
            poll: Duration::from_millis(200),
            ..CatchUpOptions::default()
        };
        let after = Position::new(after);
        CatchUpSubscription::new(
            self.context.clone(),
            &self.stream,
            after,
            log.epoch(),
            log.clone(),
            log.head_watch(),
            options,
        )
    }

    /// The live stream.
    pub(crate) async fn info(&self) -> Info {
        self.context
            .get_stream(&self.stream.name)
            .await
            .unwrap()
            .cached_info()
            .clone()
    }
}

/// Publishes the log until the stream holds all of it, starting over whenever that fails.
pub(crate) async fn publish_all(publisher: &mut Publisher, log: &TestLog) {
    eventually("the whole log is published", async || {
        let last = publisher.resume(log).await.map_err(|error| error.to_string())?;
        let head = log.head().await.map_err(|error| error.to_string())?.position;
        let count = usize::try_from(head.since(last)).unwrap();
        let rest = &log.events()[usize::try_from(last.get()).unwrap()..][..count];
        publisher
            .publish_batch(rest)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
    .await;
}

/// Tries until it succeeds, half a minute at most.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    let trying = async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), trying).await {
        Ok(value) => value,
        Err(elapsed) => panic!("not in time: {what}; the last attempt said: {last} ({elapsed})"),
    }
}

/// Takes events until `through` was handed out, and holds that each is the successor of the one before and equals the
/// log's.
pub(crate) async fn follow(subscription: &mut CatchUpSubscription<TestLog>, log: &TestLog, through: u64) {
    let (shutdown, status) = (CancellationToken::new(), subscription.status());
    let following = async {
        while subscription.last().get() < through {
            let after = usize::try_from(subscription.last().get()).unwrap();
            let run = subscription.next_batch(100, &shutdown).await.unwrap();
            assert!(!run.is_empty() && run.len() <= 100, "{} events", run.len());
            assert_eq!(run, log.events()[after..after + run.len()]);
        }
    };
    if tokio::time::timeout(Duration::from_secs(30), following)
        .await
        .is_err()
    {
        panic!("not in time: position {through}; {:?}", *status.borrow());
    }
}
