//! Why the store refuses a request.

use super::super::journal::Failed;
use super::OperationRefused;

/// Why the store refuses a request.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Rejected {
    #[error("there is no such payment")]
    NotFound,
    #[error("a payment with this reference exists")]
    ReferenceTaken,
    #[error("the emulator holds as many payments as it may")]
    Full,
    #[error(transparent)]
    Refused(#[from] OperationRefused),
    #[error("the emulator can't write its journal")]
    Journal,
}

impl From<Failed> for Rejected {
    fn from(_: Failed) -> Self {
        Self::Journal
    }
}
