//! How fast Emmett and message-db turn their own events into rows of one table, each by the means of its own users: catching
//! up with a log, and from commit to row at a steady rate. Both poll.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{best, message_db, npm};
use crate::append::Effort;
use crate::contender::Contender;
use crate::measure::Run;
use crate::server::Bench;

/// The most events in the log that they catch up with: enough for half a minute.
const MOST_EVENTS: u64 = 50_000;
/// How many of these each batch size is tried with.
const TRIED: u64 = 10_000;
/// How long each batch size is tried at the steady rate.
const TRIAL: Duration = Duration::from_secs(3);
/// Events in one of their reads; which is best depends on the machine.
const BATCH_SIZES: [u32; 5] = [10, 30, 100, 300, 1000];

#[derive(Clone, Copy, PartialEq)]
enum Peer {
    /// A consumer with a projection in SQL, as documented.
    Emmett,
    /// `get_category_messages`, then one upsert for each message, as its clients do.
    MessageDb,
}

/// What `visible.mjs` prints.
#[derive(Deserialize)]
struct Seen {
    #[serde(flatten)]
    run: Run,
    events: u64,
    /// How many of these never became visible.
    missed: u64,
}

/// What was seen in each run, for what is to be said of events that were missed.
#[derive(Clone, Default)]
pub(crate) struct Missed(Arc<Mutex<Vec<(Peer, Seen)>>>);

impl Peer {
    const ALL: [Self; 2] = [Self::Emmett, Self::MessageDb];

    const fn name(self) -> &'static str {
        match self {
            Self::Emmett => "emmett-postgresql",
            Self::MessageDb => "message-db",
        }
    }

    /// Its part under `bench/npm/peers`.
    fn part(self) -> String {
        match self {
            Self::Emmett => "emmett".into(),
            Self::MessageDb => "message_db".into(),
        }
    }

    async fn database(self, bench: &Bench) -> anyhow::Result<String> {
        match self {
            Self::Emmett => bench.database("emmett").await,
            Self::MessageDb => message_db::database(bench).await,
        }
    }

    async fn catch_up(self, url: &str, batch: u32, events: u64) -> anyhow::Result<Run> {
        let arguments = [self.part(), batch.to_string(), events.to_string()];
        npm::figures("project.mjs", &arguments, url).await
    }

    /// On an empty log, since a consumer begins at the beginning.
    async fn see(
        self,
        bench: &Bench,
        batch: u32,
        rate: u32,
        (warm_up, length): (Duration, Duration),
    ) -> anyhow::Result<Seen> {
        let url = self.database(bench).await?;
        let arguments = [
            self.part(),
            batch.to_string(),
            rate.to_string(),
            warm_up.as_millis().to_string(),
            length.as_millis().to_string(),
        ];
        npm::figures("visible.mjs", &arguments, &url).await
    }
}

/// Projecting a log of at most `events` that is there, at the batch size that is fastest.
pub(crate) async fn catching_up(bench: &Bench, events: u64) -> anyhow::Result<Vec<Contender>> {
    let events = events.min(MOST_EVENTS);
    npm::install().await?;
    let mut contenders = Vec::new();
    for peer in Peer::ALL {
        let url = peer.database(bench).await?;
        npm::run("fill.mjs", &[peer.part(), events.to_string()], &url).await?;
        let mut trials = Vec::new();
        for batch in BATCH_SIZES {
            trials.push((batch, peer.catch_up(&url, batch, events.min(TRIED)).await?));
        }
        let batch = best(&trials).context("no trial")?;
        let what = format!("one table, batches of {batch}, {events} events");
        contenders.push(Contender::new(peer.name(), what, move || {
            let url = url.clone();
            async move { peer.catch_up(&url, batch, events).await }
        }));
    }
    Ok(contenders)
}

/// From commit to row at `rate` events a second, at the batch size with which half of them are visible soonest.
pub(crate) async fn visible(
    bench: &Bench,
    effort: &Effort,
    rate: u32,
    missed: &Missed,
) -> anyhow::Result<Vec<Contender>> {
    npm::install().await?;
    let (warm_up, length) = (effort.warm_up, effort.length);
    let mut contenders = Vec::new();
    for peer in Peer::ALL {
        let mut trials = Vec::new();
        for batch in BATCH_SIZES {
            let seen = peer.see(bench, batch, rate, (warm_up, TRIAL)).await?;
            trials.push((batch, seen.run));
        }
        let batch = soonest(&trials).context("nothing ever was visible")?;
        let what = format!("commit → one table, {rate} events a second, batches of {batch}");
        let (bench, missed) = (bench.clone(), missed.clone());
        contenders.push(Contender::new(peer.name(), what, move || {
            let (bench, missed) = (bench.clone(), missed.clone());
            async move {
                let seen = peer.see(&bench, batch, rate, (warm_up, length)).await?;
                ensure!(seen.run.p50_ms.is_some(), "nothing was visible");
                let run = seen.run;
                missed.0.lock().await.push((peer, seen));
                Ok(run)
            }
        }));
    }
    Ok(contenders)
}

/// The candidate whose median latency is the least.
fn soonest<T: Copy>(trials: &[(T, Run)]) -> Option<T> {
    let told = trials
        .iter()
        .filter_map(|(candidate, run)| Some((*candidate, run.p50_ms?)));
    told.min_by(|(_, one), (_, other)| one.total_cmp(other))
        .map(|(candidate, _)| candidate)
}

impl Missed {
    /// A sentence about each peer that missed some.
    pub(crate) async fn remarks(&self) -> Vec<String> {
        let runs = self.0.lock().await;
        let told = Peer::ALL.into_iter().filter_map(|peer| {
            let of_peer = runs.iter().filter(|(who, _)| *who == peer);
            let (missed, events) = of_peer.fold((0, 0), |(missed, events), (_, seen)| {
                (missed + seen.missed, events + seen.events)
            });
            (missed > 0).then(|| {
                format!(
                    "{}: {missed} of {events} events never became visible. Their latencies are not counted.",
                    peer.name()
                )
            })
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Missed, Peer, Seen, soonest};
    use crate::measure::Run;

    const fn run(p50_ms: Option<f64>) -> Run {
        Run {
            per_second: 1.0,
            p50_ms,
            p99_ms: None,
        }
    }

    #[test]
    fn the_soonest_has_the_least_median_and_one_that_saw_nothing_has_none() {
        let trials = [(10, run(Some(3.0))), (100, run(Some(2.0))), (1000, run(None))];
        assert_eq!(soonest(&trials), Some(100));
        assert_eq!(soonest(&trials[2..]), None);
    }

    #[test]
    fn what_the_program_prints_is_read() {
        let printed = r#"{"per_second":999.5,"p50_ms":0.75,"p99_ms":4.5,"events":3500,"missed":118}"#;
        let seen: Seen = serde_json::from_str(printed).unwrap();
        assert_eq!(
            (seen.run.per_second, seen.run.p50_ms, seen.run.p99_ms),
            (999.5, Some(0.75), Some(4.5))
        );
        assert_eq!((seen.events, seen.missed), (3500, 118));
    }

    #[tokio::test]
    async fn only_who_missed_events_is_mentioned() {
        let seen = |missed| Seen {
            run: run(Some(1.0)),
            events: 100,
            missed,
        };
        let missed = Missed::default();
        *missed.0.lock().await = vec![
            (Peer::Emmett, seen(2)),
            (Peer::MessageDb, seen(0)),
            (Peer::Emmett, seen(1)),
        ];
        let said = missed.remarks().await.join("\n");
        assert!(
            said.starts_with("emmett-postgresql: 3 of 200 events never"),
            "{said}"
        );
        assert!(!said.contains("message-db"), "{said}");
    }
}
