//! Tamper evidence: signed, chained seals over ranges of the log, kept in the database and in a file outside it.
//!
//! - [`Sealer`] seals new events at an interval, in parallel to the appends and without a lock that they need.
//! - [`verify`] recomputes all roots and names the positions that differ from what was sealed.
//! - [`prove`] shows that one event is in a sealed range, to a reader that has only the public key.
//!
//! The leaves hash events as they are stored. Where payloads are encrypted that is the ciphertext, so that erasing a
//! person by deleting their key leaves every seal valid.

mod file;
pub(crate) mod hex;
mod key;
mod leaf;
mod merkle;
mod proof;
mod record;
mod report;
mod sealer;
mod sources;
mod table;
mod verify;

use std::path::{Path, PathBuf};

pub use key::{PublicKey, SealKey};
pub use leaf::Leaf;
pub use proof::{Proof, prove};
pub use record::Seal;
pub use report::{Finding, Kind, Report};
pub use sealer::{Sealer, SealerOptions};
pub use verify::verify;

/// The most events under one seal.
pub(crate) const RANGE: i64 = 4096;

/// Why something could not be sealed, verified or proven.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log could not be read, or contradicts its own rules.
    #[error(transparent)]
    Log(#[from] crate::Error),
    /// The key is not one.
    #[error("seal key: {0}")]
    Key(String),
    /// The file of seals can't be read or written.
    #[error("seal file {path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// File, seals and log don't belong together. Nothing was overwritten; [`verify`] has the details.
    #[error("the seals contradict each other: {0}")]
    Contradiction(String),
    /// The log has no such position.
    #[error("there is no event at position {position}: the log ends at {head}")]
    NoEvent {
        /// What was asked for.
        position: i64,
        /// The log's last position.
        head: i64,
    },
    /// The position has no seal yet.
    #[error("position {0} is not sealed yet")]
    NotSealed(i64),
    /// A proof does not prove what it says.
    #[error("the proof is not valid: {0}")]
    Proof(&'static str),
}

impl Error {
    fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            error,
        }
    }

    /// For a metric's label.
    fn reason(&self) -> &'static str {
        match self {
            Self::Log(crate::Error::Unavailable(_)) => "unavailable",
            Self::Log(_) => "log",
            Self::File { .. } => "file",
            Self::Contradiction(_) => "contradiction",
            Self::Key(_) | Self::NoEvent { .. } | Self::NotSealed(_) | Self::Proof(_) => "other",
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Log(error.into())
    }
}
