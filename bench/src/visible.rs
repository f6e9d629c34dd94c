//! How long after its commit an event is in the read model, at a steady rate: through relay, NATS and projector, all
//! separate programs as in an installation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use event_store::{Append, Appender, AppenderOptions, Claims, IdempotencyKey, NewEvent};
use futures_util::future::poll_fn;
use serde_json::value::to_raw_value;
use stack::{Options, Process, System};
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use uuid::Uuid;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::history;
use crate::measure::{Figure, Run, quantile};
use crate::ours::US;
use crate::peers::projecting::{self, Missed};
use crate::report::{Report, Target};
use crate::server::{Bench, resident_mb};

/// Orders placed a second, one event each.
const RATE: u32 = 1000;
/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Resident memory of command-api and projector, in MB: right after the start, and after a run.
type Memory = [Option<f64>; 2];

/// Takes the figures. `peers`: with those of others.
pub(crate) async fn run(bench: &Bench, effort: &Effort, peers: bool) -> anyhow::Result<Report> {
    let missed = Missed::default();
    let memory = Arc::new(Mutex::new((Memory::default(), Memory::default())));
    let mut contenders = vec![ours(bench, effort, &memory)];
    if peers {
        contenders.extend(projecting::visible(bench, effort, RATE, &missed).await?);
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    let figures = take_turns(bench, contenders, effort.rounds).await?;
    let (idle, loaded) = *memory.lock().await;
    let ours = figures.iter().find(|figure| figure.contender == US);
    let [p50, p99] =
        [ours.and_then(Figure::p50), ours.and_then(Figure::p99)].map(|spread| Some(spread?.median));
    let targets = vec![
        Target::at_most("commit → visible, p50 in ms", 3.0, p50),
        Target::at_most("commit → visible, p99 in ms", 10.0, p99),
        Target::at_most("command-api idle, resident MB", 30.0, idle[0]),
        Target::at_most("projector idle, resident MB", 30.0, idle[1]),
        Target::at_most("command-api loaded, resident MB", 100.0, loaded[0]),
        Target::at_most("projector loaded, resident MB", 100.0, loaded[1]),
    ];
    let mut report = Report::new("visible", "From commit to the read model", figures, targets);
    report.remark(
        "Each of our runs has a system of its own. Nobody pays these orders, and 20 s later the process manager asks the \
         provider about each: a shop where that happened a thousand times a second is not what is measured here.",
    );
    for remark in missed.remarks().await {
        report.remark(remark);
    }
    Ok(report)
}

fn ours(bench: &Bench, effort: &Effort, memory: &Arc<Mutex<(Memory, Memory)>>) -> Contender {
    let (servers, memory) = (Arc::clone(&bench.servers), Arc::clone(memory));
    let (warm_up, length) = (effort.warm_up, effort.length);
    let what = format!("commit → visible, {RATE} events a second");
    Contender::new(US, what, move || {
        let (servers, memory) = (Arc::clone(&servers), Arc::clone(&memory));
        async move {
            // With the programs' default log level: the stack has the projector log every event.
            let log = (Process::Projector, "LOG_FILTER".into(), "info".into());
            let options = Options {
                env: vec![log],
                ..Options::default()
            };
            let system = System::on_servers(servers, options).await?;
            let resident =
                || [Process::CommandApi, Process::Projector].map(|of| system.pid(of).and_then(resident_mb));
            let idle = resident();
            let run = on(&system, warm_up, length).await;
            *memory.lock().await = (idle, resident());
            system.stop().await;
            run
        }
    })
}

async fn on(system: &System, warm_up: Duration, length: Duration) -> anyhow::Result<Run> {
    let (appender, _) = Appender::start(&system.databases().events_owner, AppenderOptions::default())?;
    let mut projected = projected(&system.databases().read_owner).await?;
    one(&appender, &mut projected, warm_up).await?;
    one(&appender, &mut projected, length).await
}

async fn one(appender: &Appender, projected: &mut Projected, length: Duration) -> anyhow::Result<Run> {
    let count = u32::try_from(length.as_millis())? * RATE / 1000;
    let begun = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut answers = Vec::new();
    for _ in 0..count {
        pace.tick().await;
        let (sender, order) = (appender.clone(), order()?);
        answers.push(tokio::spawn(async move {
            let position = sender.append(order).await?.position;
            anyhow::Ok((position.get(), Instant::now()))
        }));
    }
    let took = begun.elapsed();
    let mut committed = BTreeMap::new();
    for answer in answers {
        let (position, at) = answer.await??;
        committed.insert(position, at);
    }
    let mut latencies = Vec::with_capacity(committed.len());
    while let Some((last, _)) = committed.last_key_value() {
        let last = *last;
        let (reached, at) = tokio::time::timeout(PATIENCE, projected.heard.recv())
            .await
            .context("the projector did not keep up")?
            .context("the connection to the read database was lost")?;
        let rest = committed.split_off(&(reached + 1));
        // It can be visible before its sender gets the answer.
        latencies.extend(
            committed
                .values()
                .map(|committed| at.saturating_duration_since(*committed)),
        );
        committed = rest;
        ensure!(
            reached <= last || committed.is_empty(),
            "more was projected than committed"
        );
    }
    latencies.sort_unstable();
    Ok(Run {
        per_second: f64::from(count) / took.as_secs_f64(),
        p50_ms: quantile(&latencies, 0.5),
        p99_ms: quantile(&latencies, 0.99),
    })
}

fn order() -> anyhow::Result<Append> {
    let id = Uuid::now_v7();
    let event = history::fresh_order(id);
    Ok(Append {
        key: IdempotencyKey::unique(),
        response: "{}".into(),
        claims: Claims::default(),
        events: vec![NewEvent {
            aggregate_type: event.aggregate_type.into(),
            aggregate_id: id,
            sequence: 1,
            event_type: event.event_type.into(),
            event_version: event.event_version.into(),
            payload: to_raw_value(&event.payload)?,
        }],
        metadata: envelope::Metadata::default(),
    })
}

/// The positions that the projector reports, and when.
struct Projected {
    heard: mpsc::UnboundedReceiver<(u64, Instant)>,
    /// The connection ends with it.
    _client: Client,
}

async fn projected(read_url: &str) -> anyhow::Result<Projected> {
    let (client, mut connection) = tokio_postgres::connect(read_url, NoTls).await?;
    let (told, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && let Ok(position) = notification.payload().parse()
                && told.send((position, Instant::now())).is_err()
            {
                return;
            }
        }
    });
    client
        .batch_execute(&format!("listen {}", read_model::checkpoint::CHANNEL))
        .await?;
    Ok(Projected {
        heard,
        _client: client,
    })
}
