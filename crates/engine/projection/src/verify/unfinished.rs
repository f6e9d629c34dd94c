//! Why a proof was not finished.

use service::postgres::describe;

use crate::report::Report;

/// Why a proof was not finished.
pub(super) enum Unfinished {
    /// A database or NATS does not answer.
    Inconclusive(String),
    /// A problem that was found makes the proof impossible.
    Wrong(String),
}

/// Adds the outcome of a proof to the report.
pub(super) fn conclude(proof: Result<(), Unfinished>, report: &mut Report) {
    match proof {
        Ok(()) => {}
        Err(Unfinished::Inconclusive(reason)) => report.unknown(reason),
        Err(Unfinished::Wrong(problem)) => report.problem(problem),
    }
}

/// A failed query: nothing was found out.
pub(super) fn unknown(error: impl std::error::Error + 'static) -> Unfinished {
    Unfinished::Inconclusive(describe(&error))
}
