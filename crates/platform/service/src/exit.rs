//! How a process ends: with an exit code, and after a failure with its reason in the log or on standard error.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Marks an error that left a question unanswered, neither yes nor no.
#[derive(Clone, Copy, Debug)]
pub struct Inconclusive;

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not be told")
    }
}

/// The exit code for the outcome of `main`: 0, 2 for [`Inconclusive`], 1 for every other error. The reason goes to the
/// log, or to standard error while there is no log yet.
pub fn exit(name: &str, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let inconclusive = error.is::<Inconclusive>();
    let error = format!("{error:#}");
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(service = name, error, "failed");
    } else {
        // A failure to write has no other place to be reported.
        let _ = writeln!(io::stderr(), "{name}: {error}");
    }
    if inconclusive {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}
