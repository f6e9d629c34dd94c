//! How fast the rows follow the log: a projector that is behind and catches up, and a rebuild of everything.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use event_bus::StreamConfig;
use event_store::Log;
use projector::config::{Instead, RebuildOptions};
use projector::{Follower, Parts};
use serde_json::Value;
use service::health::Health;
use service::postgres::PoolOptions;
use service::secret::Secret;
use stack::{Databases, Servers};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::history;
use crate::measure::{Figure, Run};
use crate::report::{Report, Target};

/// How long the projector may take in all.
const PATIENCE: Duration = Duration::from_mins(30);

/// Writes a log to a fresh database of `servers` and measures both on it.
pub(crate) async fn run(servers: &Servers, events: u64, rounds: usize) -> anyhow::Result<Report> {
    let databases = Databases::fresh(servers.postgres().url()).await?;
    event_store::migrate(&databases.events_owner).await?;
    history::write(&databases.events_owner, events).await?;
    let (mut live, mut rebuilt, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // A read database of its own for each run: the first has no rows, the second's are the first's.
        let read = Databases::fresh(servers.postgres().url()).await?;
        read_model::migrate(&read.read_owner).await?;
        live.push(follow(servers, &databases.events_reader, &read.read_owner, events).await?);
        let (seconds, stages) = rebuild(&databases.events_reader, &read.read_owner).await?;
        rebuilt.push(seconds);
        said.push(stages["seconds"].to_string());
        read.drop().await?;
    }
    databases.drop().await?;
    let figure = |what: &str, seconds: Vec<f64>| Figure {
        contender: "bilsportlisens".into(),
        what: format!("{what}, {events} events"),
        runs: seconds
            .into_iter()
            .map(|seconds| Run::of(events, Duration::from_secs_f64(seconds)))
            .collect(),
    };
    let figures = vec![
        figure("a projector that catches up", live),
        figure("rebuild, from start to swap", rebuilt),
    ];
    let rate = |index: usize| figures.get(index).map(|figure| figure.rate().median);
    let targets = vec![
        Target::at_least("live projection, events a second", 30_000.0, rate(0)),
        Target::at_least("rebuild, events a second", 80_000.0, rate(1)),
    ];
    let mut report = Report::new(
        "projection",
        "Projecting into the full read model",
        figures,
        targets,
    );
    report.remark(format!("Seconds of each rebuild by stage: {}", said.join("; ")));
    Ok(report)
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
