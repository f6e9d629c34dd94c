//! What can go wrong while reading.

use deadpool_postgres::{PoolError, TimeoutType};
use futures_util::future::BoxFuture;
use tokio_postgres::error::SqlState;

/// What asks a connection, and gives the answer.
pub type Question<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// A read that gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool had no connection in time.
    #[error("no connection to the read database: {0}")]
    Pool(#[from] PoolError),
    /// The database refused the statement or went away. Its detail may hold row data: see [`Error::sqlstate`].
    #[error("the read database failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// A column has a type that [`crate::Record`] does not know: a mistake in a resource's columns.
    #[error("column {column} has type {found}, which has no JSON form here")]
    ColumnType {
        /// The column.
        column: &'static str,
        /// Its type in Postgres.
        found: String,
    },
    /// Too many rows would have to be sorted.
    #[error("too many rows to sort by {sort}")]
    TooBroad {
        /// The filter whose rows stand in few places of the order.
        filter: &'static str,
        /// The order that they are found in.
        along: Option<&'static str>,
        /// The order that was asked for.
        sort: &'static str,
    },
    /// The database gave no answer in time, not even that it took too long.
    #[error("the read database does not answer")]
    Silent,
    /// An answer has no JSON form.
    #[error("an answer has no JSON form")]
    Form(#[source] serde_json::Error),
    /// An export took longer than its snapshot may last.
    #[error("the export took too long")]
    TooLong,
}

impl Error {
    /// The statement ran longer than the connection's `statement_timeout` allows.
    pub fn is_timeout(&self) -> bool {
        self.sqlstate() == Some(&SqlState::QUERY_CANCELED)
    }

    /// All connections are in use, and none became free in time.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Pool(PoolError::Timeout(TimeoutType::Wait)))
    }

    /// The database can't be reached or is starting or stopping, or a standby needed the rows' old state no longer: the same
    /// read may succeed soon.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Pool(_) | Self::Silent => true,
            Self::Postgres(error) => is_lost(error) || self.is_conflict(),
            Self::ColumnType { .. } | Self::TooBroad { .. } | Self::Form(_) | Self::TooLong => false,
        }
    }

    /// Whether it is worth asking another copy of the same rows: this one can't be reached, is short of something, broken, behind
    /// a migration, or ended the statement to follow the primary.
    pub(crate) fn is_of_this_copy(&self) -> bool {
        let code = self.sqlstate().map_or("", SqlState::code);
        // Classes 42 schema, 58 system errors, XX damaged data.
        let is_broken = ["42", "58", "XX"].iter().any(|class| code.starts_with(class));
        (self.is_unavailable() && !self.is_busy()) || is_broken
    }

    /// A standby had to remove what the statement could see. Selects alone never get these codes otherwise.
    fn is_conflict(&self) -> bool {
        let code = self.sqlstate();
        code == Some(&SqlState::T_R_SERIALIZATION_FAILURE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// The code that Postgres gave, safe to log where the error's detail is not.
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            Self::Pool(_)
            | Self::Silent
            | Self::ColumnType { .. }
            | Self::TooBroad { .. }
            | Self::Form(_)
            | Self::TooLong => None,
        }
    }
}

/// Whether the connection broke, or the server says that it is short of something, starting or stopping.
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        }
        // Classes 08 connection, 53 resources, 57P shutdown and starting up.
        Some(code) => ["08", "53", "57P"]
            .iter()
            .any(|class| code.code().starts_with(class)),
    }
}
