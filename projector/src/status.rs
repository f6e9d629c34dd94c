//! `projector status`: how far log, stream and rows are, and whether that is well.

use std::process::ExitCode;

use chrono::Utc;
use envelope::{LogHead, Position};
use event_store::{Error as LogError, Log};
use read_model::checkpoint::CheckpointState;
use read_model::{Checkpoint, checkpoint, write};
use serde_json::json;
use service::postgres::describe;

use crate::config::{Limits, StatusOptions};
use crate::connections::{Connections, StreamState};
use crate::report::Report;
use crate::{BUILD, mark, rebuild, runner};

/// Longest that one SQL statement of a look may run.
const STATEMENT_TIMEOUT_S: u32 = 10;

/// Looks at everything once and says it.
pub async fn status(options: StatusOptions) -> ExitCode {
    let mut report = Report::new("status");
    match Connections::open(&options.sources, STATEMENT_TIMEOUT_S).await {
        Ok(reach) => {
            look(&reach, &options.limits, &mut report).await;
            runner::report(&options.runner, &mut report).await;
        }
        Err(error) => report.unknown(format!("{error:#}")),
    }
    report.tell(options.json)
}

/// What was seen, for whoever wants to look closer.
pub(crate) struct Seen {
    pub(crate) head: LogHead,
    /// None if the stream can't be seen, or carries another log.
    pub(crate) stream: Option<StreamState>,
}

/// Reports how far everything is; None when that is not enough to look closer.
pub(crate) async fn look(reach: &Connections, limits: &Limits, report: &mut Report) -> Option<Seen> {
    if !schemas(reach, report).await {
        return None;
    }
    // Against the direction of the events: what is appended meanwhile can't make a later stage look ahead.
    let rows = rows(reach).await.map_err(|error| report.unknown(error)).ok();
    let stream = reach.stream().await.map(|stream| StreamState::of(&stream));
    let head = match reach.log.head().await {
        Ok(head) => head,
        Err(error) => {
            log_failed(&error, report);
            return None;
        }
    };
    let (log, epoch) = (head.position.get(), head.epoch);
    report.fact(
        "log",
        json!({"head": log, "epoch": epoch}),
        format!("head {log}, epoch {epoch}"),
    );
    let stream = judge_stream(stream, head, report);
    let rows = rows?;
    judge_rows(&rows, head, report);
    judge_event(reach, &rows.standing, head, report).await;
    let checkpoint = rows.standing.checkpoint;
    match rebuild::State::look(&reach.read).await {
        Ok(state) => state.tell(report),
        Err(reason) => report.unknown(reason),
    }
    lags(reach, checkpoint, stream.as_ref(), head, limits, report).await;
    Some(Seen { head, stream })
}

/// Whether this build knows both schemas; else nothing more can be said.
async fn schemas(reach: &Connections, report: &mut Report) -> bool {
    let (read, events) = (
        read_model::check_schema(&reach.read).await,
        event_store::check_schema(&reach.events).await,
    );
    let known = read_model::known_schema();
    match &read {
        Ok(()) => report.fact("schema", json!(known), known.to_string()),
        Err(error) if error.is_transient() => report.unknown(describe(error)),
        Err(error) => report.problem(describe(error)),
    }
    if let Err(error) = &events {
        log_failed(error, report);
    }
    read.is_ok() && events.is_ok()
}

fn log_failed(error: &LogError, report: &mut Report) {
    match error {
        LogError::Unavailable(_) => report.unknown(error.to_string()),
        _ => report.problem(error.to_string()),
    }
}

/// What the rows say of themselves.
struct Rows {
    standing: CheckpointState,
    /// Events that wait.
    parked: u64,
    /// Aggregates among them that this build has not tried.
    untried: usize,
}

async fn rows(reach: &Connections) -> Result<Rows, String> {
    let client = reach.read.get().await.map_err(|error| describe(&error))?;
    let standing = checkpoint::read_state(&**client)
        .await
        .map_err(|error| describe(&error))?;
    let parked = write::count_parked(&client)
        .await
        .map_err(|error| describe(&error))?;
    let untried = write::list_untried(&client, BUILD, i64::MAX)
        .await
        .map_err(|error| describe(&error))?;
    Ok(Rows {
        standing,
        parked: Position::from_sql(parked).get(),
        untried: untried.len(),
    })
}

fn judge_stream(
    stream: Result<StreamState, String>,
    head: LogHead,
    report: &mut Report,
) -> Option<StreamState> {
    let stream = match stream {
        Ok(stream) => stream,
        Err(problem) => {
            report.problem(problem);
            report.fact("stream", json!(null), "not seen");
            return None;
        }
    };
    let StreamState {
        first,
        last,
        messages,
        epoch,
    } = stream;
    let said = epoch.map_or("none".into(), |epoch| epoch.to_string());
    report.fact(
        "stream",
        json!({"first": first, "last": last, "messages": messages, "epoch": epoch}),
        format!("{messages} messages, sequences {first} to {last}, epoch {said}"),
    );
    if epoch != Some(head.epoch) {
        let epoch = head.epoch;
        report.problem(format!(
            "the stream carries epoch {said} of the log, which is in epoch {epoch}"
        ));
        return None;
    }
    if last > head.position.get() {
        let head = head.position;
        report.problem(format!("the stream is at {last}, beyond the log's head {head}"));
        return None;
    }
    Some(stream)
}

fn judge_rows(rows: &Rows, head: LogHead, report: &mut Report) {
    let Rows {
        standing,
        parked,
        untried,
    } = rows;
    let Checkpoint { position, epoch } = standing.checkpoint;
    let fingerprint = mark::of(standing).fingerprint.map(|event| event.to_string());
    let event = fingerprint.as_deref().unwrap_or("not known");
    report.fact(
        "checkpoint",
        json!({"position": position, "epoch": epoch}),
        format!("{position}, epoch {epoch}"),
    );
    report.fact("at_event", json!(fingerprint), event);
    report.fact("parked", json!(parked), format!("{parked} events"));
    if *untried > 0 {
        report.fact(
            "parked_untried",
            json!(untried),
            format!("{untried} aggregates that another build parked; a projector of this build tries them by itself"),
        );
    }
    if standing.stale {
        report.problem("the rows are of another log than there is now: answers are marked as stale");
    }
    if epoch.is_nil() {
        report.problem("no projector has begun: there is no checkpoint");
    } else if epoch != head.epoch {
        let log = head.epoch;
        report.problem(format!(
            "the rows are of epoch {epoch} of the log, which is in epoch {log}"
        ));
    } else if position > head.position.get() {
        let head = head.position;
        report.problem(format!(
            "the checkpoint {position} is beyond the log's head {head}: was the log restored without a new epoch?"
        ));
    }
    if *parked > 0 {
        report.problem(format!("{parked} events are parked: see `projector parked list`"));
    }
}

/// Whether the log holds the event that the rows are at.
async fn judge_event(reach: &Connections, standing: &CheckpointState, head: LogHead, report: &mut Report) {
    let Checkpoint { position, epoch } = standing.checkpoint;
    // Of what has been said already nothing more is said.
    if epoch != head.epoch || position > head.position.get() {
        return;
    }
    match mark::look(&reach.log, mark::of(standing)).await {
        Ok((page, Err(contradiction))) if page.head.epoch == epoch => report.problem(format!(
            "the rows contradict the log: {contradiction}; nothing is applied until `command-api log new-epoch` is run"
        )),
        Ok(_) => {}
        Err(error) => log_failed(&error, report),
    }
}

/// From where to where, and how far and how long it is behind.
async fn lags(
    reach: &Connections,
    checkpoint: Checkpoint,
    stream: Option<&StreamState>,
    head: LogHead,
    limits: &Limits,
    report: &mut Report,
) {
    let mut hops = Vec::new();
    let (applied, log) = (Position::new(checkpoint.position), head.position);
    if let Some(stream) = stream {
        let published = Position::new(stream.last);
        hops.push(("lag_publish", "commit to publish", published, log));
        hops.push(("lag_apply", "publish to apply", applied, published));
    }
    if checkpoint.epoch == head.epoch {
        hops.push(("lag_total", "commit to apply", applied, log));
    }
    for (name, hop, done, due) in hops {
        let positions = due.since(done);
        let seconds = match age_of_next(&reach.log, done, positions).await {
            Ok(seconds) => seconds,
            Err(error) => {
                log_failed(&error, report);
                continue;
            }
        };
        report.fact(
            name,
            json!({"positions": positions, "seconds": seconds}),
            format!("{positions} events, {seconds:.1} s ({hop})"),
        );
        let (most, longest) = (limits.max_lag_positions, limits.max_lag_s);
        if positions > most {
            report.problem(format!(
                "{hop} is {positions} events behind, more than {most}: at {done} of {due}"
            ));
        }
        if seconds > f64::from(longest) {
            report.problem(format!(
                "{hop} is {seconds:.0} s behind, more than {longest}: at {done} of {due}"
            ));
        }
    }
}

/// For how long the first event after `done` has waited; 0 if none does.
async fn age_of_next(log: &Log, done: Position, waiting: u64) -> Result<f64, LogError> {
    if waiting == 0 {
        return Ok(0.0);
    }
    let next = log.read_after(done, 1).await?;
    // Clocks of two machines: never below zero.
    Ok(next.first().map_or(0.0, |event| {
        (Utc::now() - event.recorded_at)
            .to_std()
            .unwrap_or_default()
            .as_secs_f64()
    }))
}
