//! An empty log, the program on it, and what it wrote.

use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use envelope::{Position, RecordedEvent};
use event_store::Log;
use event_store::vault::{Vault, with_new_master_key};
use serde_json::Value;
use stack::Databases;
use tokio::process::{Child, Command};
use uuid::Uuid;

const PAGE: u32 = 1000;

/// A migrated, empty log with its keys.
pub(crate) struct EmptyLog {
    url: String,
    keys: PathBuf,
    pub(crate) log: Log,
}

impl EmptyLog {
    pub(crate) async fn new() -> Self {
        let servers = stack::shared().await.unwrap();
        let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
        let url = databases.events_owner;
        event_store::migrate(&url).await.unwrap();
        let keys = std::env::temp_dir().join(format!("seed-{}", Uuid::now_v7()));
        std::fs::create_dir(&keys).unwrap();
        std::fs::write(keys.join("master"), with_new_master_key("test", "").unwrap()).unwrap();
        // The same for all logs: holder ids follow from it.
        std::fs::write(keys.join("holder"), "a key of holder ids, for tests only").unwrap();
        let vault = Arc::new(Vault::new(keys.join("master")).unwrap());
        let log = Log::connect(&url, 2).unwrap().with_vault(vault);
        Self { url, keys, log }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seed"));
        command
            .args(arguments)
            .arg("--json")
            .env("EVENTS_DATABASE_URL", &self.url)
            .env("HOLDER_KEY_FILE", self.keys.join("holder"))
            .env("MASTER_KEY_FILE", self.keys.join("master"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn seed(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().await.unwrap())
    }

    /// Starts the program and waits until some of its events are recorded.
    pub(crate) async fn begin(&self, arguments: &[&str], events: u64) -> Child {
        let child = self.command(arguments).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.log.head().await.unwrap().position.get() < events {
            assert!(Instant::now() < deadline, "nothing is recorded");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child
    }

    /// All events, opened.
    pub(crate) async fn events(&self) -> Vec<RecordedEvent> {
        let mut all: Vec<RecordedEvent> = Vec::new();
        loop {
            let after = all.last().map_or(Position::START, |event| event.position);
            let page = self.log.read_after(after, PAGE).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(self.log.open(page).await.unwrap().events().iter().cloned());
        }
    }
}

impl Drop for EmptyLog {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.keys);
    }
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) report: Value,
    pub(crate) said: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status,
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn well(&self) -> &Value {
        assert!(self.status.success(), "{}: {}", self.status, self.said);
        &self.report
    }
}

/// Everything that was recorded, personal data in clear.
pub(crate) fn digest(events: &[RecordedEvent]) -> Vec<u8> {
    let mut hash = Context::new(&SHA256);
    for event in events {
        let metadata = serde_json::to_string(&event.metadata).unwrap();
        let place = format!(
            "{} {} {} {} {} {} {} {metadata}\n",
            event.position,
            event.aggregate_type,
            event.aggregate_id,
            event.sequence,
            event.event_type,
            event.event_version,
            event.recorded_at.timestamp_micros(),
        );
        hash.update(place.as_bytes());
        hash.update(event.payload.get().as_bytes());
    }
    hash.finish().as_ref().to_vec()
}
