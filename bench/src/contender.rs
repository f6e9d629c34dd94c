//! Who is measured, and the turns they take: one run each, round after round, so that a noisy minute hits all alike.

use std::time::Instant;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use crate::measure::{Figure, Run};
use crate::server::Bench;

type Measure = Box<dyn Fn() -> LocalBoxFuture<'static, anyhow::Result<Run>>>;

/// One figure to be taken.
pub(crate) struct Contender {
    name: String,
    what: String,
    measure: Measure,
}

impl Contender {
    pub(crate) fn new<F>(
        name: impl Into<String>,
        what: impl Into<String>,
        measure: impl Fn() -> F + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<Run>> + 'static,
    {
        Self {
            name: name.into(),
            what: what.into(),
            measure: Box::new(move || measure().boxed_local()),
        }
    }

    /// Whether `part` is in what the report will say of it.
    pub(crate) fn matches(&self, part: &str) -> bool {
        format!("{}: {}", self.name, self.what).contains(part)
    }
}

/// Takes all figures, `rounds` times in turn.
pub(crate) async fn take_turns(
    bench: &Bench,
    contenders: Vec<Contender>,
    rounds: usize,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = contenders
        .iter()
        .map(|contender| Figure {
            contender: contender.name.clone(),
            what: contender.what.clone(),
            runs: Vec::new(),
        })
        .collect();
    for round in 1..=rounds {
        for (contender, figure) in contenders.iter().zip(&mut figures) {
            bench.checkpoint().await?;
            let started = Instant::now();
            let run = (contender.measure)()
                .await
                .with_context(|| format!("{}, {}", contender.name, contender.what))?;
            progress(round, rounds, contender, &run, started);
            figure.runs.push(run);
        }
    }
    Ok(figures)
}

#[expect(clippy::print_stderr, reason = "progress of a program for the terminal")]
fn progress(round: usize, rounds: usize, contender: &Contender, run: &Run, started: Instant) {
    let latency = match (run.p50_ms, run.p99_ms) {
        (Some(p50), Some(p99)) => format!(", p50 {p50:.2} ms, p99 {p99:.2} ms"),
        (Some(p50), None) => format!(", average {p50:.2} ms"),
        _ => String::new(),
    };
    eprintln!(
        "round {round}/{rounds}  {:<28} {:<40} {:>9.0}/s{latency}  ({:.0} s)",
        contender.name,
        contender.what,
        run.per_second,
        started.elapsed().as_secs_f64()
    );
}
