//! How a figure is taken: a closed loop with a fixed number of operations in flight, several runs, median and spread.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One run of one contender.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Operations a second.
    pub(crate) per_second: f64,
    /// Latency, in milliseconds; null where the contender does not report it.
    pub(crate) p50_ms: Option<f64>,
    /// As above.
    pub(crate) p99_ms: Option<f64>,
}

impl Run {
    /// Only a number of operations in that time, without latencies.
    pub(crate) fn of(operations: u64, took: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let count = operations as f64;
        Self {
            per_second: count / took.as_secs_f64(),
            p50_ms: None,
            p99_ms: None,
        }
    }
}

/// Several runs of one contender.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Who and how.
    pub(crate) contender: String,
    /// What was done.
    pub(crate) what: String,
    /// In the order taken.
    pub(crate) runs: Vec<Run>,
}

impl Figure {
    pub(crate) fn rate(&self) -> Spread {
        Spread::of(self.runs.iter().map(|run| run.per_second))
    }

    pub(crate) fn p50(&self) -> Option<Spread> {
        self.latency(|run| run.p50_ms)
    }

    pub(crate) fn p99(&self) -> Option<Spread> {
        self.latency(|run| run.p99_ms)
    }

    fn latency(&self, which: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        let values: Vec<f64> = self.runs.iter().filter_map(which).collect();
        (!values.is_empty()).then(|| Spread::of(values))
    }
}

/// Median, least and most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let (middle, last) = (values.len() / 2, values.len().saturating_sub(1));
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self {
            median,
            least: at(0),
            most: at(last),
        }
    }
}

/// What share of `other`'s rate `one` reaches: the median over the rounds, since those of a round have the same weather.
pub(crate) fn share(one: &Figure, other: &Figure) -> Option<f64> {
    let rounds = one.runs.iter().zip(&other.runs);
    let shares: Vec<f64> = rounds
        .map(|(one, other)| one.per_second / other.per_second)
        .collect();
    (!shares.is_empty()).then(|| Spread::of(shares).median)
}

/// Milliseconds at a quantile of sorted latencies.
pub(crate) fn quantile(sorted: &[Duration], quantile: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the length"
    )]
    let index = ((sorted.len() as f64) * quantile) as usize;
    let at = sorted.get(index.min(sorted.len().checked_sub(1)?))?;
    Some(at.as_secs_f64() * 1000.0)
}

/// Keeps `in_flight` operations going for `warm_up` and then `length`, and counts those of `length`. An operation gets
/// a number that no other gets.
pub(crate) async fn closed_loop<F, O>(
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
    operation: F,
) -> anyhow::Result<Run>
where
    F: Fn(u64) -> O + Send + Sync + 'static,
    O: Future<Output = anyhow::Result<()>> + Send,
{
    let operation = Arc::new(operation);
    let numbers = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let begin = Instant::now() + warm_up;
    let end = begin + length;
    let workers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (operation, numbers, stop) =
                (Arc::clone(&operation), Arc::clone(&numbers), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let done = operation(numbers.fetch_add(1, Ordering::Relaxed)).await;
                    let now = Instant::now();
                    if let Err(error) = done {
                        stop.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                    if now >= end {
                        break;
                    }
                    if now >= begin {
                        latencies.push(now - started);
                    }
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    latencies.sort_unstable();
    Ok(Run {
        p50_ms: quantile(&latencies, 0.5),
        p99_ms: quantile(&latencies, 0.99),
        ..Run::of(latencies.len() as u64, length)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Figure, Run, Spread, closed_loop, quantile, share};

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            spread,
            Spread {
                median: 2.5,
                least: 1.0,
                most: 4.0
            }
        );
    }

    #[test]
    fn quantiles_stay_inside() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(51.0));
        assert_eq!(quantile(&sorted, 1.0), Some(100.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_share_is_taken_round_by_round() {
        let figure = |rates: &[u64]| Figure {
            contender: String::new(),
            what: String::new(),
            runs: rates
                .iter()
                .map(|rate| Run::of(2 * rate, Duration::from_secs(2)))
                .collect(),
        };
        // The second round was slow for both.
        let (one, other) = (figure(&[90, 9, 80]), figure(&[100, 10, 100]));
        assert_eq!(share(&one, &other), Some(0.9));
        assert_eq!(share(&one, &figure(&[])), None);
    }

    #[tokio::test]
    async fn an_operation_that_fails_ends_the_run_with_its_error() {
        let run = closed_loop(2, Duration::ZERO, Duration::from_mins(1), |number| async move {
            anyhow::ensure!(number < 10, "the eleventh fails");
            tokio::task::yield_now().await;
            Ok(())
        });
        assert_eq!(run.await.unwrap_err().to_string(), "the eleventh fails");
    }
}
