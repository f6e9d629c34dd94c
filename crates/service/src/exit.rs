//! How a process ends: with a code, and if it failed, with the reason where people look for it.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// The exit code for what `main` has to say, after the reason for a failure was told: as a log line like any other,
/// or on standard error while there are no logs yet.
pub fn exit(name: &str, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    let error = format!("{error:#}");
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(service = name, error, "failed");
    } else {
        // Nobody is left to be told that this failed.
        let _ = writeln!(io::stderr(), "{name}: {error}");
    }
    ExitCode::FAILURE
}
