//! A private nats-server per test.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use event_bus::{Feed, LogReader, Publisher, PublisherOptions, StreamConfig};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::log::TestLog;

pub(crate) struct Nats {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    pub(crate) fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("event-bus-{}", Uuid::new_v4()));
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut nats = Self {
            directory,
            port,
            child: None,
        };
        nats.restart();
        nats
    }

    pub(crate) fn restart(&mut self) {
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(&self.directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed");
        self.child = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }

    pub(crate) async fn connect(&self) -> Context {
        let client = async_nats::ConnectOptions::new()
            .retry_on_initial_connect()
            .reconnect_delay_callback(|_| Duration::from_millis(50))
            .connect(format!("127.0.0.1:{}", self.port))
            .await
            .unwrap();
        let mut context = jetstream::new(client);
        context.set_timeout(Duration::from_secs(2));
        context
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn stream() -> StreamConfig {
    StreamConfig::declared("THINGS", "things.v1")
}

pub(crate) fn publisher(context: &Context, options: PublisherOptions) -> Publisher {
    Publisher::new(context.clone(), stream(), options)
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
pub(crate) async fn follow(feed: &mut Feed<TestLog>, log: &TestLog, through: u64) {
    let (shutdown, status) = (CancellationToken::new(), feed.status());
    let following = async {
        while feed.last().get() < through {
            let after = usize::try_from(feed.last().get()).unwrap();
            let run = feed.next_batch(100, &shutdown).await.unwrap();
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
