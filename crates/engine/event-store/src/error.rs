//! What can go wrong, told apart by what the caller can do about it.

use envelope::DecodeError;
use serde::Deserialize;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::claims::TakenClaim;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached, is restarting, or answered too late. Try again.
    #[error("the event database is unavailable: {0}")]
    Unavailable(String),
    /// The database's URL, or a file that it names, can't be used.
    #[error(transparent)]
    Url(#[from] connect::BadUrl),
    /// The database's schema is not the one that this build knows.
    #[error("schema: {0}")]
    Schema(String),
    /// A stored event can't be read by this build.
    #[error("the log holds an event that can't be read: {0}")]
    Decode(#[from] DecodeError),
    /// The log contradicts its own rules; says how.
    #[error("the log is broken: {0}")]
    Broken(String),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unavailable(describe(&error))
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Why a command was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An aggregate moved on since it was loaded.
    #[error("{0} meanwhile")]
    Conflict(Stale),
    /// Claims that the command takes are held by others; all of them. Nothing of the command is recorded.
    #[error("{}", taken(.0))]
    ClaimTaken(Vec<TakenClaim>),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database refuses these events, now and whenever they are sent again: for example text with `\u0000`.
    #[error("the log can't store this: {0}")]
    Unstorable(String),
    /// Not appended as far as is known within the time allowed. The same key may be sent again, and decides it.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
}

/// A stream that is not at the version that a command expected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stale {
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Its version now; 0 without any event.
    pub version: u64,
}

impl std::fmt::Display for Stale {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            aggregate_type,
            aggregate_id,
            version,
        } = self;
        write!(
            formatter,
            "{aggregate_type} {aggregate_id} is at version {version}"
        )
    }
}

/// In words, without the key, which may be somebody's.
fn taken(claims: &[TakenClaim]) -> String {
    let one = |claim: &TakenClaim| format!("a claim of {} is held by {:?}", claim.scope, claim.holders);
    claims.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E> {
    /// The aggregate's rules refuse it.
    #[error(transparent)]
    Refused(E),
    /// The aggregate is not at the version that the caller demanded.
    #[error("the aggregate is at version {actual}")]
    Version {
        /// Its version now.
        actual: u64,
    },
    /// The command takes claims that others hold; all of them.
    #[error("{}", taken(.0))]
    ClaimTaken(Vec<TakenClaim>),
    /// The aggregate changed again and again meanwhile.
    #[error("the aggregate changed meanwhile, {attempts} times in a row: at last, {last}")]
    Contended {
        /// How often it was tried.
        attempts: usize,
        /// What it met the last time.
        last: Stale,
    },
    /// The log said no.
    #[error(transparent)]
    Append(AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] Error),
}

impl<E> From<AppendError> for CommandError<E> {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::ClaimTaken(taken) => Self::ClaimTaken(taken),
            other => Self::Append(other),
        }
    }
}

/// A database error in words fit for a log: the SQLSTATE and the primary message, never the detail, which may quote
/// a row; or what happened to the connection, and why.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// What a failed batch means for the commands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Something in the batch can't be stored; it never will be.
    Unstorable,
    /// Rolled back for a passing reason.
    Passing,
    /// The connection is gone: nobody knows whether it committed.
    Unknown,
}

impl Failure {
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return if error.is_closed() {
                Self::Unknown
            } else {
                Self::of_client_error(error)
            };
        };
        // 57P01-57P03: the server is going down or coming up; the connection is lost with it. Read-only: it is a standby,
        // or became one; a new connection may find the primary.
        if [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(db.code())
        {
            return Self::Unknown;
        }
        match &db.code().code()[..2] {
            // Data exceptions, integrity violations, limits: what one command can bring about.
            "22" | "23" | "54" => Self::Unstorable,
            // Locks, resources (disk full, too many connections), operator, system; also whatever is wrong with the
            // installation (passwords, privileges, a missing function), which is nobody's command.
            _ => Self::Passing,
        }
    }

    /// An error made on our side of the connection: a value that can't be sent is the command's fault, anything else
    /// is the connection's.
    fn of_client_error(error: &tokio_postgres::Error) -> Self {
        use std::error::Error as _;
        let io = error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
        if !io && error.to_string().starts_with("error serializing parameter") {
            Self::Unstorable
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    #[tokio::test]
    async fn a_database_that_is_not_there_is_unavailable_and_why_is_said() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let database = connect::Database::parse(&format!("postgres://{free}/events")).unwrap();
        let error = database.connect().await.err().map(Error::from).unwrap();
        assert!(
            error.to_string().contains("error connecting to server: "),
            "{error}"
        );
    }
}
