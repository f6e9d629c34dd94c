//! Errors, by what the caller can do about them.

use envelope::DecodeError;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::claims::TakenClaim;
use crate::vault::VaultError;

/// Why the log could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is restarting or overloaded, or answered too late. Try again.
    #[error("the event database is unavailable: {0}")]
    Unavailable(String),
    /// The database refuses the statement, and will refuse it again until its schema, a privilege or its data changes.
    #[error("the event database refuses: {0}")]
    Refused(String),
    /// The database's answer does not have the columns and types that this build reads.
    #[error("the event database's answer can't be read: {0}")]
    Unreadable(String),
    /// The database's URL, or a file that it names, can't be used.
    #[error("{0}")]
    Url(String),
    /// The database's schema is older than this build, or the database is empty. Run [`crate::migrate`].
    #[error("schema: {0}: migrate it")]
    NotMigrated(String),
    /// The database's schema is newer than this build, or another one.
    #[error("schema: {0}")]
    Schema(String),
    /// A stored event can't be read by this build.
    #[error("the log holds an event that can't be read: {0}")]
    Decode(#[from] DecodeError),
    /// Personal data can't be read or written, for a reason that is not in the events.
    #[error("{0}")]
    Vault(VaultError),
    /// The log contradicts its own rules; says how.
    #[error("the log is broken: {0}")]
    Broken(String),
}

impl Error {
    /// The meaning of a driver error for the caller.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let why = describe(error);
        match error.as_db_error() {
            Some(refused) if is_passing(refused.code()) => Self::Unavailable(why),
            Some(_) => Self::Refused(why),
            None if is_unreadable(error) => Self::Unreadable(why),
            None if is_unsendable(error) => Self::Refused(why),
            None => Self::Unavailable(why),
        }
    }
}

/// Whether the same statement may succeed later without a change to schema, privileges or data.
fn is_passing(code: &SqlState) -> bool {
    // 08 connection, 28 login (a password is being changed), 40 rollback, 53 resources, 55 locks, 57 operator
    // intervention and statement timeout, 58 system. A missing database is being created or restored. A read-only one is
    // a standby: a new connection may find the primary.
    ["08", "28", "40", "53", "55", "57", "58"].contains(&class(code))
        || [
            SqlState::INVALID_CATALOG_NAME,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
}

/// The class of an SQLSTATE: its first two characters.
fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// The driver keeps the kinds of its own errors to itself; their texts are stable, and a test holds them.
fn is_unreadable(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    [
        "error deserializing column",
        "invalid column",
        "query returned an unexpected number of",
    ]
    .iter()
    .any(|kind| text.starts_with(kind))
}

/// Whether a value could not be sent: the fault of the statement's caller, not of the connection.
fn is_unsendable(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    !io && error.to_string().starts_with("error serializing parameter")
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::of(&error)
    }
}

impl From<connect::BadUrl> for Error {
    fn from(error: connect::BadUrl) -> Self {
        Self::Url(error.to_string())
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
    /// A stream is not at the version that the command expects.
    #[error(transparent)]
    Conflict(VersionConflict),
    /// Claims that the command takes are held by others; all of them. Nothing of the command is recorded.
    #[error("{}", taken(.0))]
    ClaimTaken(Vec<TakenClaim>),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database refuses these events, now and whenever they are sent again: for example text with `\u0000`.
    #[error("the log can't store this: {0}")]
    Unstorable(String),
    /// The log gave no answer within the time allowed. Sending the same key again decides the command.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
}

/// Why a part of a history was not recorded. Nothing that was recorded behind it is, either.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ImportError {
    /// The events hold something that the log can't store.
    #[error("the log can't store this: {0}")]
    Unstorable(String),
    /// The database refuses them or can't be reached.
    #[error(transparent)]
    Log(#[from] Error),
}

/// A stream that is not at the version that a command expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{aggregate_type} {aggregate_id} is at version {actual}, expected {expected}")]
pub struct VersionConflict {
    /// Kind of aggregate.
    pub aggregate_type: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The version that the command expects; 0 for a new stream.
    pub expected: u64,
    /// The version of the stream now; 0 without any event.
    pub actual: u64,
}

/// Scopes and owners, without the keys, which may be personal data.
fn taken(claims: &[TakenClaim]) -> String {
    let one = |claim: &TakenClaim| format!("a claim of {} is held by {:?}", claim.scope, claim.owners);
    claims.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E> {
    /// The aggregate's rules refuse it.
    #[error(transparent)]
    Refused(E),
    /// The aggregate is not at the version that the caller demands.
    #[error(transparent)]
    Version(VersionConflict),
    /// The command takes claims that others hold; all of them.
    #[error("{}", taken(.0))]
    ClaimTaken(Vec<TakenClaim>),
    /// The aggregate changed during each attempt.
    #[error("the aggregate changed during each of {attempts} attempts, at last: {last}")]
    Contended {
        /// How many attempts were made.
        attempts: usize,
        /// The conflict of the last attempt.
        last: VersionConflict,
    },
    /// The log refused the command, or could not be reached.
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
    /// The connection is gone: the batch may have been committed.
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
        match class(db.code()) {
            // Data exceptions, integrity violations, limits: what one command can bring about.
            "22" | "23" | "54" => Self::Unstorable,
            // Locks, resources (disk full, too many connections), operator, system; also whatever is wrong with the
            // installation (passwords, privileges, a missing function), which no command causes.
            _ => Self::Passing,
        }
    }

    /// An error made on our side of the connection: a value that can't be sent is the command's fault, anything else
    /// is the connection's.
    fn of_client_error(error: &tokio_postgres::Error) -> Self {
        if is_unsendable(error) {
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
