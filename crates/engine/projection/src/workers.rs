//! How many workers long work has, and what becomes of them.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// How many workers: one per core, from 2 to 8.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 8)
}

/// The result of a task. A panic of the task continues here; the error is left for a task that was cancelled.
pub(crate) fn joined<T>(done: Result<T, JoinError>) -> Result<T, JoinError> {
    match done {
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        done => done,
    }
}
