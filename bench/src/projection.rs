//! How fast the rows follow the log: a projector that is behind and catches up, and a rebuild of everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use event_bus::StreamConfig;
use event_store::Log;
use projection::{Follower, Parts, RebuildOptions, RebuildTask};
use projector::Licensing;
use serde_json::Value;
use service::health::Health;
use service::postgres::PoolOptions;
use stack::{Databases, Servers};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::history;
use crate::measure::Run;
use crate::ours::US;
use crate::peers::projecting;
use crate::report::{Report, Target};
use crate::server::Bench;

/// Events in the log, if no other number is given.
pub(crate) const EVENTS: u64 = 1_000_000;
/// How long the projector may take in all.
const PATIENCE: Duration = Duration::from_mins(30);

/// Our log and what was made of it.
struct Ours {
    servers: Arc<Servers>,
    log: Databases,
    events: u64,
    /// With the rows that the last projector made, until a rebuild has made them again.
    rows: Mutex<Option<Databases>>,
    /// What each rebuild said of its stages.
    stages: Mutex<Vec<String>>,
}

/// Writes a log of `events` and measures both on it; `peers`: and those of others on theirs.
pub(crate) async fn run(bench: &Bench, effort: &Effort, peers: bool, events: u64) -> anyhow::Result<Report> {
    let ours = Arc::new(Ours::write(bench, events).await?);
    let mut contenders = vec![
        of_ours(&ours, "a projector that catches up", async |ours| {
            Box::pin(ours.catch_up()).await
        }),
        of_ours(&ours, "rebuild, from start to swap", async |ours| {
            Box::pin(ours.rebuild()).await
        }),
    ];
    if peers {
        contenders.extend(projecting::catching_up(bench, events).await?);
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    let figures = take_turns(bench, contenders, effort.rounds).await?;
    ours.remove().await?;
    let rate = |what: &str| {
        let figure = figures.iter().find(|figure| figure.what.starts_with(what));
        figure.map(|figure| figure.rate().median)
    };
    let targets = vec![
        Target::at_least(
            "live projection, events a second",
            30_000.0,
            rate("a projector that catches up"),
        ),
        Target::at_least(
            "rebuild, events a second",
            80_000.0,
            rate("rebuild, from start to swap"),
        ),
    ];
    let name = match events {
        EVENTS => "projection".to_owned(),
        _ => format!("projection-at-{events}"),
    };
    let mut report = Report::new(name, "Projecting", figures, targets);
    report.remark("Ours is the full read model; the peers' is one table.");
    report.remark(format!(
        "Seconds of each rebuild by stage: {}",
        ours.stages.lock().await.join("; ")
    ));
    Ok(report)
}

fn of_ours<F>(ours: &Arc<Ours>, what: &str, measure: impl Fn(Arc<Ours>) -> F + 'static) -> Contender
where
    F: Future<Output = anyhow::Result<Run>> + 'static,
{
    let what = format!("{what}, {} events", ours.events);
    let ours = Arc::clone(ours);
    Contender::new(US, what, move || measure(Arc::clone(&ours)))
}

impl Ours {
    async fn write(bench: &Bench, events: u64) -> anyhow::Result<Self> {
        let log = Databases::fresh(bench.servers.postgres().url()).await?;
        event_store::migrate(&log.events_owner).await?;
        history::write(&log.events_owner, events).await?;
        Ok(Self {
            servers: Arc::clone(&bench.servers),
            log,
            events,
            rows: Mutex::default(),
            stages: Mutex::default(),
        })
    }

    /// Into a read database that has no rows.
    async fn catch_up(&self) -> anyhow::Result<Run> {
        let read = Databases::fresh(self.servers.postgres().url()).await?;
        read_model::migrate(&read.read_owner).await?;
        let seconds = follow(
            &self.servers,
            &self.log.events_reader,
            &read.read_owner,
            self.events,
        )
        .await?;
        if let Some(before) = self.rows.lock().await.replace(read) {
            before.drop().await?;
        }
        Ok(self.run_of(seconds))
    }

    /// Into a shadow schema, with live rows in place.
    async fn rebuild(&self) -> anyhow::Result<Run> {
        if self.rows.lock().await.is_none() {
            self.catch_up().await?;
        }
        let read = self.rows.lock().await.take().context("rows")?;
        let (seconds, said) = Box::pin(rebuild(&self.log.events_reader, &read.read_owner)).await?;
        self.stages.lock().await.push(said["seconds"].to_string());
        read.drop().await?;
        Ok(self.run_of(seconds))
    }

    fn run_of(&self, seconds: f64) -> Run {
        Run::of(self.events, Duration::from_secs_f64(seconds))
    }

    async fn remove(&self) -> anyhow::Result<()> {
        if let Some(rows) = self.rows.lock().await.take() {
            rows.drop().await?;
        }
        self.log.drop().await
    }
}

/// Seconds until a projector has caught up, through everything that a running one goes through.
async fn follow(servers: &Servers, events_url: &str, read_url: &str, events: u64) -> anyhow::Result<f64> {
    let pool = |url| service::postgres::pool(url, &PoolOptions::default(), "bench");
    let (read, end) = (pool(read_url)?, CancellationToken::new());
    let health = Health::new(end.clone());
    let name = Uuid::new_v4().simple().to_string();
    let parts = Parts {
        projection: Licensing,
        read: read.clone(),
        read_url: read_url.to_owned(),
        log: Log::new(pool(events_url)?),
        head_watch: event_store::listen(events_url, end.clone())?,
        bus: event_bus::connect(servers.nats().url(), "bench").await?,
        // No relay publishes: the events come from the log.
        stream: StreamConfig::from_declaration(
            events::STREAM_DECLARATION,
            &format!("BENCH_{name}"),
            &format!("bench-{name}.v1"),
        )?,
        subscription: "bench",
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
    let options = RebuildOptions {
        events_url: events_url.to_owned(),
        read_url: read_url.to_owned(),
        vault: None,
        window: projection::WINDOW,
        task: RebuildTask::Build {
            accept_differences: false,
        },
    };
    let begun = Instant::now();
    let end = CancellationToken::new();
    let said = Box::pin(projection::rebuild(&Licensing, &options, &end))
        .await
        .value();
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(said["swapped"] == true, "the rebuild was not done: {said}");
    Ok((seconds, said))
}
