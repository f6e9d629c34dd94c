//! `projector verify`: proof, not only signs, that the log is whole, that the stream holds what the log holds, and
//! that the rows are what a replay of the log gives. Disturbs nothing: it reads, and writes only to a schema of its own
//! in the read database, which is gone afterwards.

mod log;
mod rows;
mod stream;

use std::process::ExitCode;

use service::postgres::describe;

use crate::config::VerifyOptions;
use crate::connections::Connections;
use crate::report::Report;
use crate::{runner, status};

/// How many examples of one kind of fault are named.
const EXAMPLES: usize = 5;

/// Looks at everything closely, once, and says what was found.
pub async fn verify(options: VerifyOptions) -> ExitCode {
    let mut report = Report::new("verify");
    match Connections::open(&options.sources, options.statement_timeout_s).await {
        Ok(reach) => {
            prove(&reach, &options, &mut report).await;
            runner::report(&options.runner, &mut report).await;
        }
        Err(error) => report.unknown(format!("{error:#}")),
    }
    report.tell(options.json)
}

async fn prove(reach: &Connections, options: &VerifyOptions, report: &mut Report) {
    let Some(seen) = status::look(reach, &options.limits, report).await else {
        return;
    };
    settle(log::prove(reach, seen.head, report).await, report);
    if let Some(state) = &seen.stream {
        settle(
            stream::prove(reach, state, seen.head, options.stream_sample, report).await,
            report,
        );
    }
    let proved = match options.sources.read.url() {
        Ok(url) => rows::prove(reach, url.expose(), seen.head.epoch, report).await,
        Err(error) => Err(Unfinished::Unknown(error.to_string())),
    };
    settle(proved, report);
}

/// Why a proof was not finished.
enum Unfinished {
    /// Something does not answer.
    Unknown(String),
    /// What was found on the way makes it impossible.
    Wrong(String),
}

fn settle(proof: Result<(), Unfinished>, report: &mut Report) {
    match proof {
        Ok(()) => {}
        Err(Unfinished::Unknown(reason)) => report.unknown(reason),
        Err(Unfinished::Wrong(problem)) => report.problem(problem),
    }
}

/// A failed question to a database: nothing was found out.
fn unknown(error: impl std::error::Error + 'static) -> Unfinished {
    Unfinished::Unknown(describe(&error))
}
