//! Why following the log stopped.

use envelope::Contradiction;
use event_bus::CatchUpError;
use service::postgres::describe;

use crate::apply::ApplyError;
use crate::projection::Commands;

/// Why following the log stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error("shutting down")]
    Stopped,
    #[error("another projector moved the checkpoint")]
    NotOwner,
    #[error("the log began a new epoch")]
    EpochChanged,
    #[error("{0}; nothing is applied until `{1}` is run")]
    Contradicted(Contradiction, &'static str),
    #[error("another rebuild is under way, and the rows of the log's new epoch have to wait for it")]
    Rebuilding,
    #[error("the rows of the log's new epoch could not be built: {0}")]
    Rebuild(String),
    #[error("{0}")]
    LogBroken(CatchUpError),
    #[error("{0}")]
    Schema(String),
    #[error("the event database can't be read: {0}")]
    Log(event_store::Error),
    #[error("the read database failed: {0}")]
    Read(String),
}

impl Interrupted {
    /// The read database failed.
    pub(super) fn read(error: impl std::error::Error + 'static) -> Self {
        Self::Read(describe(&error))
    }

    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::NotOwner => "not_owner",
            Self::EpochChanged => "epoch_changed",
            Self::Contradicted(..) => "contradicted",
            Self::Rebuilding => "rebuilding",
            Self::Rebuild(_) => "rebuild",
            Self::LogBroken(_) => "log_broken",
            Self::Schema(_) => "schema",
            Self::Log(_) => "log",
            Self::Read(_) => "read",
        }
    }
}

impl Interrupted {
    /// The subscription stopped.
    pub(super) fn subscription(error: CatchUpError, commands: Commands) -> Self {
        match error {
            CatchUpError::Stopped => Self::Stopped,
            CatchUpError::EpochChanged { .. } => Self::EpochChanged,
            CatchUpError::Contradicted(contradiction) => {
                Self::Contradicted(contradiction, commands.new_epoch)
            }
            CatchUpError::LogBroken { .. } => Self::LogBroken(error),
        }
    }
}

impl From<ApplyError> for Interrupted {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::NotOwner => Self::NotOwner,
            ApplyError::Pool(error) => Self::read(error),
            ApplyError::Database(error) => Self::read(error),
            ApplyError::Log(error) => Self::Log(error),
        }
    }
}
