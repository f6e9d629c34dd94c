//! Why an event is parked.

use envelope::Position;
use tokio_postgres::Error;

use crate::projection::Inapplicable;

/// Why an event can't be applied now. Holds no data of the event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("{0}")]
    Inapplicable(#[from] Inapplicable),
    #[error("the database refused its row: {0}")]
    Refused(String),
    #[error("waits behind position {0}")]
    WaitsBehind(Position),
}

/// The refusal of a row for its content, without that content. The database would refuse the row again. None for any other
/// error (lost connections, locks, a full disk, another schema): the event is not its cause.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let error = error.as_db_error()?;
    let code = error.code().code();
    // Data exceptions, integrity violations, and limits such as the size of an index entry.
    if !["22", "23", "54"].iter().any(|class| code.starts_with(class)) {
        return None;
    }
    let place = [error.table(), error.column(), error.constraint()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    Some(
        format!("SQLSTATE {code} {}", place.join(" "))
            .trim_end()
            .to_owned(),
    )
}
