//! What sealing costs those who append, and how fast seals and proofs are made and checked: the code that `command-api
//! serve` and `command-api log` run, on a log of ordinary events.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use deadpool_postgres::Pool;
use event_store::CommandHandler;
use event_store::seal::{Proof, PublicKey, SealKey, Sealer, SealerOptions, prove, verify};
use tokio_util::sync::CancellationToken;

use crate::append::{Effort, tempdir};
use crate::contender::{Contender, take_turns};
use crate::measure::{Figure, Run, closed_loop, share};
use crate::ours::{self, US};
use crate::report::{Report, Target};
use crate::server::{Bench, connect, pool};

/// Time between two rounds of sealing: command-api's default.
const INTERVAL: Duration = Duration::from_secs(5);
const IN_FLIGHT: usize = 64;

/// Takes the figures; `events` are in the log that is sealed and verified.
pub(crate) async fn run(bench: &Bench, effort: &Effort, events: u64) -> anyhow::Result<Report> {
    let directory = tempdir()?;
    let figures = figures(bench, effort, events, &directory).await;
    std::fs::remove_dir_all(&directory).context("remove the seals")?;
    let figures = figures?;
    let find = |what: &str| figures.iter().find(|figure| figure.what == what);
    let cost = find(&appending_beside()).zip(find(&appending()));
    let targets = vec![Target::at_least(
        "creating beside the sealer, share of the same without it",
        0.95,
        cost.and_then(|(with, without)| share(with, without)),
    )];
    let mut report = Report::new("seal", "Sealing", figures, targets);
    report.remark(format!(
        "Appending is measured for whole intervals of the sealer, after one to warm up, so that each interval has its \
         round: {} s. Its share is the median over the rounds, each beside the run just before it.",
        whole_intervals(effort.length).as_secs()
    ));
    report.remark(
        "A proof is made from the log and checked as a file that somebody was given: JSON, path, signature.",
    );
    Ok(report)
}

fn appending() -> String {
    format!("creating command, {IN_FLIGHT} in flight")
}

fn appending_beside() -> String {
    format!("{}, beside the sealer", appending())
}

async fn figures(
    bench: &Bench,
    effort: &Effort,
    events: u64,
    directory: &Path,
) -> anyhow::Result<Vec<Figure>> {
    let (command_handler, url) = ours::command_handler(bench).await?;
    let key = Arc::new(SealKey::from_pkcs8(&SealKey::generate()?)?);
    let options = |file: &str| SealerOptions {
        key: Arc::clone(&key),
        file: directory.join(file),
        interval: INTERVAL,
    };
    let length = whole_intervals(effort.length);
    let sealed = Arc::new(Sealed::fill(bench, events, options("sealed.jsonl")).await?);
    let mut contenders = vec![
        ours::creating(&command_handler, IN_FLIGHT, INTERVAL, length),
        Contender::new(US, appending_beside(), {
            let (options, url) = (options("growing.jsonl"), url.clone());
            move || append_beside_a_sealer(command_handler.clone(), url.clone(), options.clone(), length)
        }),
    ];
    contenders.extend(of_a_sealed_log(&sealed, effort));
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    take_turns(bench, contenders, effort.rounds).await
}

fn of_a_sealed_log(sealed: &Arc<Sealed>, effort: &Effort) -> Vec<Contender> {
    let (warm_up, length) = (effort.warm_up, effort.length);
    let (events, middle) = (sealed.events, sealed.events.div_ceil(2));
    vec![
        sealed.contender(
            format!("sealing a backlog, {events} events"),
            |sealed| async move { sealed.seal_all().await },
        ),
        sealed.contender(format!("log verify, {events} events"), |sealed| async move {
            sealed.verify().await
        }),
        sealed.contender(format!("making a proof, position {middle}"), move |sealed| {
            sealed.make_proofs(warm_up, length)
        }),
        sealed.contender(format!("checking a proof, position {middle}"), move |sealed| {
            sealed.check_proofs(warm_up, length)
        }),
    ]
}

/// At least `length`, and no round of sealing counted by half.
fn whole_intervals(length: Duration) -> Duration {
    let intervals = length.as_secs().div_ceil(INTERVAL.as_secs()).max(2);
    INTERVAL * u32::try_from(intervals).unwrap_or(u32::MAX)
}

async fn append_beside_a_sealer(
    command_handler: CommandHandler,
    url: String,
    options: SealerOptions,
    length: Duration,
) -> anyhow::Result<Run> {
    let mut sealer = Sealer::new(pool(&url, 4)?, options);
    // What was appended before is no work of this run.
    let before = sealer.seal().await?.get();
    let end = CancellationToken::new();
    let sealing = tokio::spawn(sealer.run(end.clone()));
    let run = ours::create(&command_handler, IN_FLIGHT, INTERVAL, length).await;
    end.cancel();
    sealing.await?;
    let run = run?;
    let after = sealed_up_to(&url).await?;
    ensure!(after > before, "nothing was sealed meanwhile");
    Ok(run)
}

async fn sealed_up_to(url: &str) -> anyhow::Result<u64> {
    let row = connect(url)
        .await?
        .query_one("select coalesce(max(last_position), 0) from log_seals", &[])
        .await?;
    Ok(u64::try_from(row.get::<_, i64>(0))?)
}

/// A log with every event under a seal.
struct Sealed {
    url: String,
    pool: Pool,
    options: SealerOptions,
    public_key: PublicKey,
    events: u64,
}

impl Sealed {
    async fn fill(bench: &Bench, events: u64, options: SealerOptions) -> anyhow::Result<Self> {
        let url = bench.database("sealed").await?;
        event_store::migrate(&url).await?;
        ours::grow(&url, events).await?;
        let sealed = Self {
            pool: pool(&url, 4)?,
            url,
            public_key: options.key.public_key(),
            options,
            // It comes in accounts of ten events.
            events: events.next_multiple_of(10),
        };
        sealed.seal_all().await?;
        Ok(sealed)
    }

    fn contender<F>(self: &Arc<Self>, what: String, measure: impl Fn(Arc<Self>) -> F + 'static) -> Contender
    where
        F: Future<Output = anyhow::Result<Run>> + 'static,
    {
        let sealed = Arc::clone(self);
        Contender::new(US, what, move || measure(Arc::clone(&sealed)))
    }

    /// Seals the whole log again, as one that was never sealed.
    async fn seal_all(&self) -> anyhow::Result<Run> {
        self.remove_seals().await?;
        let mut sealer = Sealer::new(self.pool.clone(), self.options.clone());
        let begun = Instant::now();
        let last = sealer.seal().await?.get();
        let took = begun.elapsed();
        ensure!(
            last == self.events,
            "{last} of {} events were sealed",
            self.events
        );
        Ok(Run::of(last, took))
    }

    async fn remove_seals(&self) -> anyhow::Result<()> {
        connect(&self.url)
            .await?
            .batch_execute(include_str!("sql/remove_seals.sql"))
            .await?;
        match std::fs::remove_file(self.file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn verify(&self) -> anyhow::Result<Run> {
        let begun = Instant::now();
        let report = verify(&self.pool, self.file(), &[self.public_key], |_, _| {}).await?;
        let took = begun.elapsed();
        ensure!(report.is_clean() && report.events == self.events, "{report}");
        Ok(Run::of(report.events, took))
    }

    /// One in the middle, so that it is in a full range.
    async fn proof(&self) -> anyhow::Result<Proof> {
        Ok(prove(&self.pool, i64::try_from(self.events.div_ceil(2))?).await?)
    }

    async fn make_proofs(self: Arc<Self>, warm_up: Duration, length: Duration) -> anyhow::Result<Run> {
        closed_loop(1, warm_up, length, move |_| {
            let sealed = Arc::clone(&self);
            async move { sealed.proof().await.map(drop) }
        })
        .await
    }

    async fn check_proofs(self: Arc<Self>, warm_up: Duration, length: Duration) -> anyhow::Result<Run> {
        let file: Arc<str> = serde_json::to_string(&self.proof().await?)?.into();
        let keys = [self.public_key];
        closed_loop(1, warm_up, length, move |_| {
            let file = Arc::clone(&file);
            async move {
                let proof: Proof = serde_json::from_str(&file)?;
                Ok(proof.check(&keys)?)
            }
        })
        .await
    }

    fn file(&self) -> &PathBuf {
        &self.options.file
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, whole_intervals};

    #[test]
    fn a_run_has_whole_rounds_of_sealing_and_at_least_two() {
        assert_eq!(whole_intervals(INTERVAL / 5), INTERVAL * 2);
        assert_eq!(whole_intervals(INTERVAL * 2), INTERVAL * 2);
        assert_eq!(whole_intervals(INTERVAL * 11 / 5), INTERVAL * 3);
    }
}
