//! What can go wrong while reading.

use tokio_postgres::error::SqlState;

/// A read that gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool had no connection in time.
    #[error("no connection to the read database: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),
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

    /// The database can't be reached or is starting or stopping: the same read may succeed soon.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Pool(_) => true,
            Self::Postgres(error) => is_lost(error),
            Self::ColumnType { .. } | Self::Form(_) | Self::TooLong => false,
        }
    }

    /// The code that Postgres gave, safe to log where the error's detail is not.
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            Self::Pool(_) | Self::ColumnType { .. } | Self::Form(_) | Self::TooLong => None,
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
