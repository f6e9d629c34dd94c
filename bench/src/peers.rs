//! What others build on Postgres, each at its best: its own schema and client, and the number of connections that
//! suits it most here, found by trying.

pub(crate) mod emmett;
pub(crate) mod message_db;
pub(crate) mod npm;
pub(crate) mod pgbench;
pub(crate) mod postgres_es;
pub(crate) mod prisma;
pub(crate) mod projecting;

use std::time::Duration;

use crate::measure::Run;

/// How long each number of connections is tried.
pub(crate) const TRIAL: Duration = Duration::from_secs(2);

/// The candidate with the highest rate.
pub(crate) fn best<T: Copy>(trials: &[(T, Run)]) -> Option<T> {
    trials
        .iter()
        .max_by(|(_, one), (_, other)| one.per_second.total_cmp(&other.per_second))
        .map(|(candidate, _)| *candidate)
}

#[cfg(test)]
mod tests {
    use super::best;
    use crate::measure::Run;

    #[test]
    fn the_best_is_the_fastest() {
        let run = |per_second| Run {
            per_second,
            p50_ms: None,
            p99_ms: None,
        };
        assert_eq!(best(&[(8, run(1.0)), (16, run(3.0)), (32, run(2.0))]), Some(16));
        assert_eq!(best::<u8>(&[]), None);
    }
}
