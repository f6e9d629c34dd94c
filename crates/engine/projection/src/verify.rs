//! The proof that the log is whole, that the stream holds what the log holds, and that the rows are what a replay of the log
//! gives. It only reads; it writes to a schema of its own in the read database, which it drops afterwards.

mod log;
mod rows;
mod stream;
mod unfinished;

use self::unfinished::conclude;
use crate::connections::{Connections, Sources};
use crate::projection::Projection;
use crate::report::Report;
use crate::runner::{self, Runner};
use crate::status::{self, Limits};

/// How to verify.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// How many messages of the stream to compare with the log, spread evenly; 0 for all of them.
    pub stream_sample: u64,
    /// Seconds that one SQL statement may run; 0 for no limit.
    pub statement_timeout_s: u32,
    /// How far behind is a problem.
    pub limits: Limits,
}

/// Verifies log, stream and rows once.
pub async fn verify<P: Projection>(
    projection: &P,
    sources: &Sources,
    options: &VerifyOptions,
    runner: &Runner,
) -> Report {
    let mut report = Report::new(projection, "verify");
    match Connections::open(projection, sources, options.statement_timeout_s).await {
        Ok(connections) => {
            prove(projection, &connections, sources, options, &mut report).await;
            runner::report(runner, &mut report).await;
        }
        Err(error) => report.unknown(format!("{error:#}")),
    }
    report
}

async fn prove<P: Projection>(
    projection: &P,
    connections: &Connections,
    sources: &Sources,
    options: &VerifyOptions,
    report: &mut Report,
) {
    let Some(seen) = status::look(projection, connections, options.limits, report).await else {
        return;
    };
    conclude(log::prove(connections, seen.head, report).await, report);
    if let Some(state) = &seen.stream {
        let proof = stream::prove(connections, state, seen.head, options.stream_sample, report).await;
        conclude(proof, report);
    }
    let proof = rows::prove(
        projection,
        connections,
        &sources.read_url,
        seen.head.epoch,
        report,
    )
    .await;
    conclude(proof, report);
}
