//! The problem that a failed read is answered with, and its one log line.

use axum::http::StatusCode;
use service::postgres;
use service::problem::Problem;

use crate::error::Error;
use crate::metrics;

/// The problem for a failed read: 503 when the same request may succeed soon, else 500.
pub(crate) fn problem(error: &Error) -> Problem {
    if let Error::TooBroad { filter, along, sort } = error {
        return too_broad(filter, *along, sort);
    }
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

/// 400: the rows that a filter keeps can't be found in the order that is asked for, and are too many to be sorted.
pub(crate) fn too_broad(filter: &str, along: Option<&str>, sort: &str) -> Problem {
    let (nb, en) = match along {
        Some(along) => (
            format!(
                "For mange treff til å sorteres etter {sort}. Sorter etter {along}, eller legg til et filter som gir færre treff."
            ),
            format!(
                "Too many rows to sort by {sort}. Sort by {along}, or add a filter that keeps fewer rows."
            ),
        ),
        None => (
            format!(
                "For mange treff til å sorteres etter {sort}. Legg til et filter som gir færre treff, eller sorter på en annen måte."
            ),
            format!(
                "Too many rows to sort by {sort}. Add a filter that keeps fewer rows, or sort in another way."
            ),
        ),
    };
    Problem::new(
        StatusCode::BAD_REQUEST,
        "too_broad",
        "Utvalget er for stort for denne rekkefølgen.",
        "The selection is too large for this order.",
    )
    .field(format!("/{filter}"), "too_broad", nb, en)
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

#[cfg(test)]
mod tests {
    use super::problem;
    use crate::error::Error;

    #[test]
    fn a_selection_that_is_too_broad_says_what_helps() {
        let refused = |along| {
            problem(&Error::TooBroad {
                filter: "made_to",
                along,
                sort: "size",
            })
        };
        let with = refused(Some("made_at"));
        assert_eq!((with.status().as_u16(), with.code()), (400, "too_broad"));
        assert_eq!(with.fields().collect::<Vec<_>>(), [("/made_to", "too_broad")]);
        let text = |problem| format!("{problem:?}");
        assert!(text(with).contains("Sort by made_at, or add a filter"));
        assert!(text(refused(None)).contains("or sort in another way"));
    }
}
