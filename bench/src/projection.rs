//! How fast the rows follow the log: a projector that is behind and catches up, and a rebuild of everything.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use event_bus::StreamConfig;
use event_store::Log;
use projector::config::{Instead, RebuildOptions};
use projector::{Follower, Parts};
use serde_json::{Value, json};
use service::health::Health;
use service::postgres::PoolOptions;
use service::secret::Secret;
use stack::{Databases, Servers};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::history;

/// How long the projector may take in all.
const PATIENCE: Duration = Duration::from_mins(30);

/// How much, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Events in the log.
    pub(crate) events: u64,
    /// Times that each is measured.
    pub(crate) runs: usize,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Events in the log.
    pub(crate) events: u64,
    /// Events a second of a projector that starts with no rows and follows the log to its end, in each run.
    pub(crate) live: Vec<f64>,
    /// Events a second of a rebuild from the first to the last moment of the command, in each run.
    pub(crate) rebuild: Vec<f64>,
    /// What the rebuild said of itself, in each run.
    pub(crate) rebuild_said: Vec<Value>,
}

impl Measured {
    /// Everything, with median and spread.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "events": self.events,
            "live_events_per_second": spread(&self.live),
            "rebuild_events_per_second": spread(&self.rebuild),
            "rebuild_seconds": self.rebuild_said.iter().map(|said| said["seconds"].clone()).collect::<Vec<_>>(),
        })
    }
}

/// Writes a log to a fresh database of `servers` and measures both on it.
pub(crate) async fn run(servers: &Servers, options: Options) -> anyhow::Result<Measured> {
    let Options { events, runs } = options;
    let databases = Databases::fresh(servers.postgres().url()).await?;
    event_store::migrate(&databases.events_owner).await?;
    history::write(&databases.events_owner, events).await?;
    let mut measured = Measured {
        events,
        live: Vec::new(),
        rebuild: Vec::new(),
        rebuild_said: Vec::new(),
    };
    for _ in 0..runs {
        // A read database of its own for each run: empty for the projector, and the rebuild has its rows beside it.
        let read = Databases::fresh(servers.postgres().url()).await?;
        read_model::migrate(&read.read_owner).await?;
        let seconds = follow(servers, &databases.events_reader, &read.read_owner, events).await?;
        measured.live.push(per_second(events, seconds));
        let (seconds, said) = rebuild(&databases.events_reader, &read.read_owner).await?;
        measured.rebuild.push(per_second(events, seconds));
        measured.rebuild_said.push(said);
        read.drop().await?;
    }
    databases.drop().await?;
    Ok(measured)
}

/// Seconds until a projector has caught up, through everything that a running one goes through.
async fn follow(servers: &Servers, events_url: &str, read_url: &str, events: u64) -> anyhow::Result<f64> {
    let pool = |url| service::postgres::pool(url, &PoolOptions::default(), "bench");
    let (read, end) = (pool(read_url)?, CancellationToken::new());
    let health = Health::new(end.clone());
    let name = Uuid::new_v4().simple().to_string();
    let parts = Parts {
        read: read.clone(),
        log: Log::new(pool(events_url)?),
        hint: event_store::listen(events_url, end.clone()),
        context: event_bus::connect(servers.nats().url(), "bench").await?,
        // Nobody publishes: what is behind comes from the log.
        stream: StreamConfig::declared(&format!("BENCH_{name}"), &format!("bench-{name}.v1")),
        check: health.check("projection"),
        check_stream: health.check("nats"),
    };
    let token = end.clone();
    let begun = Instant::now();
    let following = tokio::spawn(async move { Follower::new(parts).run(&token).await });
    let reached = async {
        let client = read.get().await?;
        loop {
            let reached = read_model::checkpoint::read(&**client).await?;
            if reached.position >= events {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .context("the projector did not catch up")??;
    let seconds = begun.elapsed().as_secs_f64();
    end.cancel();
    following.await?;
    Ok(seconds)
}

async fn rebuild(events_url: &str, read_url: &str) -> anyhow::Result<(f64, Value)> {
    let secret = |url: &str| Secret::new(url);
    let options = RebuildOptions {
        name: read_model::checkpoint::PROJECTION.into(),
        events_database_url: secret(events_url),
        read_database_url: secret(read_url),
        accept_differences: false,
        window: 50_000,
        instead: Instead {
            rollback: false,
            discard: false,
        },
        json: true,
    };
    let begun = Instant::now();
    let said = projector::rebuild_and_report(&options).await;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(said["swapped"] == true, "the rebuild was not done: {said}");
    Ok((seconds, said))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn per_second(events: u64, seconds: f64) -> f64 {
    events as f64 / seconds
}

fn spread(runs: &[f64]) -> Value {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).map(|value| value.round());
    json!({
        "median": at(sorted.len() / 2),
        "least": at(0),
        "most": at(sorted.len().saturating_sub(1)),
        "runs": sorted.len(),
    })
}
