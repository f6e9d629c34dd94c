//! The problem that a failed read is answered with, and its one log line.

use axum::http::StatusCode;
use service::postgres;
use service::problem::Problem;

use crate::error::Error;
use crate::metrics;

/// The problem for a failed read: 503 when the same request may succeed soon, else 500.
pub(crate) fn problem(error: &Error) -> Problem {
    let (reason, problem) = if error.is_timeout() {
        ("timeout", query_timeout())
    } else if error.is_busy() {
        ("busy", reads_busy())
    } else if matches!(error, Error::Silent) {
        ("silence", unavailable())
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

/// 503: the statement ran into its time limit.
pub(crate) fn query_timeout() -> Problem {
    Problem::unavailable(
        "query_timeout",
        "Søket tok for lang tid. Avgrens det og prøv igjen.",
        "The search took too long. Narrow it and try again.",
    )
}

/// 503: all connections for requests of this kind are in use.
pub(crate) fn reads_busy() -> Problem {
    Problem::unavailable(
        "reads_busy",
        "Mange henter data akkurat nå. Prøv igjen om litt.",
        "Many are reading right now. Try again in a moment.",
    )
}

/// 429: the reader's own expensive requests are still under way.
pub(crate) fn too_many_at_once() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_at_once",
        "Du har allerede søk eller rapporter under arbeid. Vent til de er ferdige.",
        "You already have searches or reports under way. Wait until they are done.",
    )
    .retry_after(1)
}

/// 503: the database cannot be reached.
pub(crate) fn unavailable() -> Problem {
    Problem::unavailable(
        "database_unavailable",
        "Vi får ikke hentet data akkurat nå. Prøv igjen om litt.",
        "We cannot fetch data right now. Try again in a moment.",
    )
}
