//! Why a replay was not finished.

use connect::SchemaError;
use deadpool_postgres::PoolError;
use envelope::{Contradiction, LogError};
use uuid::Uuid;

use crate::apply::ApplyError;

/// Why a replay was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The URL can't be used.
    #[error("the other database's URL: {0}")]
    Url(String),
    /// The schema could not be created.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The log could not be read.
    #[error("the log: {0}")]
    Log(#[source] LogError),
    /// The log began a new epoch during the replay.
    #[error("the log is in epoch {found}, the replay began in epoch {began}")]
    EpochChanged {
        /// When the replay began.
        began: Uuid,
        /// Now.
        found: Uuid,
    },
    /// The log lost events that this replay had read.
    #[error("{0}")]
    Contradicted(#[from] Contradiction),
    /// The rows could not be read or written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process writes to the same tables.
    #[error("the other database belongs to another log or another projector")]
    NotEmpty,
}

impl ReplayError {
    /// The log could not be read.
    pub(crate) fn log(error: event_store::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<tokio_postgres::Error> for ReplayError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl From<PoolError> for ReplayError {
    fn from(error: PoolError) -> Self {
        Self::Apply(error.into())
    }
}
