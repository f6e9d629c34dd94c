//! What a failed read looks like from outside, and its one log line.

use read_model::Error;
use service::postgres;
use service::problem::Problem;

use crate::metrics;

/// The problem for a failed read: 503 when the same request may succeed soon, else 500.
pub(crate) fn problem(error: &Error) -> Problem {
    let (reason, problem) = if error.is_timeout() {
        (
            "timeout",
            Problem::unavailable(
                "query_timeout",
                "Søket tok for lang tid. Avgrens det og prøv igjen.",
                "The search took too long. Narrow it and try again.",
            ),
        )
    } else if error.is_unavailable() {
        ("unavailable", unavailable())
    } else {
        ("internal", Problem::internal(error))
    };
    if reason != "internal" {
        tracing::warn!(reason, error = %postgres::describe(error), "read failed");
    }
    ::metrics::counter!(metrics::READ_FAILURES, "reason" => reason).increment(1);
    problem
}

/// The problem when the database says nothing at all: it is frozen, or the network is.
pub(crate) fn silence() -> Problem {
    tracing::warn!(reason = "silence", "read failed");
    ::metrics::counter!(metrics::READ_FAILURES, "reason" => "silence").increment(1);
    unavailable()
}

fn unavailable() -> Problem {
    Problem::unavailable(
        "database_unavailable",
        "Vi får ikke hentet data akkurat nå. Prøv igjen om litt.",
        "We cannot fetch data right now. Try again in a moment.",
    )
}
