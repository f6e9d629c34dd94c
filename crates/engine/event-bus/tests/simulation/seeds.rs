//! Many runs, on all cores, and what to say about them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mutation::Mutation;
use crate::run::run;
use crate::world::Counts;

/// Seeds that one thread takes at a time.
const CHUNK: u64 = 50;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What many runs came to.
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) counts: Counts,
    /// The report of the first seed that failed, in order of time.
    pub(crate) failure: Option<String>,
    slowest_to_heal: (u64, u64),
    took: Duration,
}

/// Runs seeds from `from` on, until one fails. `progress` gets the seed reached, now and then.
pub(crate) fn run_all(
    from: u64,
    seeds: u64,
    mutation: Option<Mutation>,
    progress: impl Fn(&str) + Sync,
) -> Tally {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally {
        seeds: 0,
        counts: Counts::default(),
        failure: None,
        slowest_to_heal: (0, from),
        took: Duration::ZERO,
    });
    let told = Mutex::new(Instant::now());
    let work = || loop {
        let begin = next.fetch_add(CHUNK, Ordering::Relaxed);
        if begin >= seeds || tally.lock().unwrap().failure.is_some() {
            return;
        }
        for seed in from + begin..from + seeds.min(begin + CHUNK) {
            let culprit = Culprit(seed);
            let outcome = run(seed, mutation, false);
            drop(culprit);
            let failure = outcome.violation.map(|_| report(seed, mutation));
            let mut tally = tally.lock().unwrap();
            tally.add(seed, &outcome.counts);
            if failure.is_some() {
                tally.failure = failure;
                return;
            }
        }
        let mut told = told.lock().unwrap();
        if told.elapsed() >= PROGRESS_EVERY {
            *told = Instant::now();
            let done = tally.lock().unwrap().seeds;
            progress(&format!(
                "{done} of {seeds} seeds, {:.0}/s",
                rate(done, started.elapsed())
            ));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.took = started.elapsed();
    tally
}

/// Says which seed it was, should the code itself give up.
struct Culprit(u64);

impl Drop for Culprit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} panicked; again: {}", self.0, command(self.0, None));
        }
    }
}

/// Everything about a seed that failed: run again, with its last steps written down.
pub(crate) fn report(seed: u64, mutation: Option<Mutation>) -> String {
    let outcome = run(seed, mutation, true);
    let what = outcome
        .violation
        .unwrap_or_else(|| "nothing: it does not repeat itself".into());
    let mutated = mutation
        .map(|mutation| format!(" with {mutation:?}"))
        .unwrap_or_default();
    let steps = outcome.trace.join("\n");
    format!(
        "seed {seed}{mutated}: {what}\nlast steps:\n{steps}\nagain: {}",
        command(seed, mutation)
    )
}

fn command(seed: u64, mutation: Option<Mutation>) -> String {
    let mutation = mutation
        .map(|mutation| format!(" MUTATION={mutation:?}"))
        .unwrap_or_default();
    format!("make simulate FROM={seed} SEEDS=1{mutation}")
}

fn rate(done: u64, took: Duration) -> f64 {
    f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

impl Tally {
    fn add(&mut self, seed: u64, counts: &Counts) {
        self.seeds += 1;
        self.slowest_to_heal = self.slowest_to_heal.max((counts.calm_ms, seed));
        self.counts.add(counts);
    }

    pub(crate) fn summary(&self) -> String {
        let (ms, slowest) = self.slowest_to_heal;
        format!(
            "{} seeds in {:.1} s, {:.0}/s; healed at the latest {ms} ms after the last fault (seed {slowest}); {:?}",
            self.seeds,
            self.took.as_secs_f64(),
            rate(self.seeds, self.took),
            self.counts
        )
    }
}
