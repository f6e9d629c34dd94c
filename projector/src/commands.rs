//! The commands that examine or rebuild, each of which prints a report.

use std::io;
use std::process::ExitCode;

use projection::{Projection, Report};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{ProjectionName, RebuildOptions, StatusOptions, VerifyOptions};
use crate::licensing::Licensing;
use crate::reports::Reports;

/// How far log, stream and rows are. Exit status 0 if all is well, 1 if not, 2 if that could not be examined.
pub async fn status(options: StatusOptions) -> ExitCode {
    match options.name {
        ProjectionName::Licensing => Box::pin(status_of(&Licensing, options)).await,
        ProjectionName::Reports => Box::pin(status_of(&Reports, options)).await,
    }
}

async fn status_of(projection: &impl Projection, options: StatusOptions) -> ExitCode {
    let report = match options.sources.open() {
        Ok(sources) => {
            let (limits, runner) = (options.limits.into(), options.runner.of(options.name));
            projection::status(projection, &sources, limits, &runner).await
        }
        Err(error) => unusable(projection, "status", &error),
    };
    report.tell(options.json)
}

/// Whether the log is whole, the stream holds what the log holds, and the rows equal a replay. Exit status as [`status`].
pub async fn verify(options: VerifyOptions) -> ExitCode {
    match options.name {
        ProjectionName::Licensing => Box::pin(verify_of(&Licensing, options)).await,
        ProjectionName::Reports => Box::pin(verify_of(&Reports, options)).await,
    }
}

async fn verify_of(projection: &impl Projection, options: VerifyOptions) -> ExitCode {
    let report = match options.sources.open() {
        Ok(sources) => {
            let runner = options.runner.of(options.name);
            let how = projection::VerifyOptions {
                stream_sample: options.stream_sample,
                statement_timeout_s: options.statement_timeout_s,
                limits: options.limits.into(),
            };
            projection::verify(projection, &sources, &how, &runner).await
        }
        Err(error) => unusable(projection, "verify", &error),
    };
    report.tell(options.json)
}

/// Rebuilds, rolls back or discards. Exit status 0 if that was done, 1 if it was refused because of what was found, 2 if it
/// could not be done.
pub async fn rebuild(options: RebuildOptions) -> ExitCode {
    match options.name {
        ProjectionName::Licensing => Box::pin(rebuild_of(&Licensing, options)).await,
        ProjectionName::Reports => Box::pin(rebuild_of(&Reports, options)).await,
    }
}

async fn rebuild_of(projection: &impl Projection, options: RebuildOptions) -> ExitCode {
    let end = CancellationToken::new();
    let report = match (options.open(), end_on_signals(&end)) {
        (Ok(what), Ok(())) => projection::rebuild(projection, &what, &end).await,
        (Err(error), _) => {
            let mut report = Report::of_a_change(projection, "rebuild");
            report.problem(format!("{error:#}"));
            report
        }
        (_, Err(error)) => {
            let mut report = Report::of_a_change(projection, "rebuild");
            report.unknown(error.to_string());
            report
        }
    };
    report.tell(options.json)
}

/// A report of settings that can't be used.
fn unusable(projection: &impl Projection, command: &str, error: &anyhow::Error) -> Report {
    let mut report = Report::new(projection, command);
    report.unknown(format!("{error:#}"));
    report
}

fn end_on_signals(end: &CancellationToken) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let end = end.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end.cancel();
    });
    Ok(())
}
