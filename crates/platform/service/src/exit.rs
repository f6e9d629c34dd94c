//! How a process ends: with a code, and if it failed, with the reason where people look for it.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The context of an error that kept a question from being answered: neither yes nor no.
#[derive(Clone, Copy, Debug)]
pub struct Inconclusive;

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not be told")
    }
}

/// The exit code for what `main` has to say: 2 for [`Inconclusive`] and 1 for every other error, after the reason was told: as
/// a log line like any other, or on standard error while there are no logs yet.
pub fn exit(name: &str, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let inconclusive = error.is::<Inconclusive>();
    let error = format!("{error:#}");
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(service = name, error, "failed");
    } else {
        // Nobody is left to be told that this failed.
        let _ = writeln!(io::stderr(), "{name}: {error}");
    }
    if inconclusive {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}
