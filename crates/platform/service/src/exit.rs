//! How a program ends, by one rule for all of them: 0 when it did what it was asked and nothing is wrong, 1 when it did and
//! something was found, 2 when it could not. The reason is in the log or on standard error.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// What a command found, in words: it did its work, and all is not well. `bail!(Found::new(…))` ends it so.
#[derive(Clone, Debug)]
pub struct Found(String);

impl Found {
    /// What was found.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Found {}

/// Says in front of an error that it left a question unanswered, neither yes nor no.
#[derive(Clone, Copy, Debug)]
pub struct Inconclusive;

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not be told")
    }
}

/// The exit code for the outcome of `main`: 0, 1 for what was [`Found`], 2 for every other error. The reason goes to the
/// log, or to standard error while there is no log yet.
pub fn exit(name: &str, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let found = error.is::<Found>();
    let error = format!("{error:#}");
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(service = name, error, "failed");
    } else {
        // A failure to write has no other place to be reported.
        let _ = writeln!(io::stderr(), "{name}: {error}");
    }
    ExitCode::from(if found { 1 } else { 2 })
}
