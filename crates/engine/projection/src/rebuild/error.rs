//! Why a rebuild changed nothing.

use connect::SchemaError;
use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::replay::ReplayError;

/// Why a rebuild changed nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{0}")]
    Refused(String),
    #[error("interrupted: the live rows are as they were")]
    Interrupted,
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("the read database failed")]
    Database(#[from] Error),
    #[error("no connection to the read database")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Failed {
    /// Whether another session's lock was in the way, so that the next attempt may succeed.
    pub(super) fn is_busy(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let code = error.code();
        code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }
}
