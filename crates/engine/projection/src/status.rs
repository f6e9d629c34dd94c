//! How far log, stream and rows are, and whether that is well.

use chrono::Utc;
use envelope::{LogHead, Position};
use event_store::{Error as LogError, Log};
use serde_json::json;
use service::postgres::describe;

use crate::checkpoint::{self, Checkpoint, CheckpointState};
use crate::connections::{Connections, Sources, StreamState};
use crate::projection::Projection;
use crate::report::Report;
use crate::runner::{self, Runner};
use crate::{log_marks, parked, rebuild};

/// Longest that one SQL statement may run.
const STATEMENT_TIMEOUT_S: u32 = 10;

/// How far behind is a problem.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many events one hop may be behind.
    pub max_lag_positions: u64,
    /// How many seconds an event may wait at one hop.
    pub max_lag_s: u32,
}

/// Examines log, stream and rows once.
pub async fn status<P: Projection>(
    projection: &P,
    sources: &Sources,
    limits: Limits,
    runner: &Runner,
) -> Report {
    let mut report = Report::new(projection, "status");
    match Connections::open(projection, sources, STATEMENT_TIMEOUT_S).await {
        Ok(connections) => {
            look(projection, &connections, limits, &mut report).await;
            runner::report(runner, &mut report).await;
        }
        Err(error) => report.unknown(format!("{error:#}")),
    }
    report
}

/// What a verification continues from.
pub(crate) struct Seen {
    pub(crate) head: LogHead,
    /// None if the stream can't be seen, or carries another log.
    pub(crate) stream: Option<StreamState>,
}

/// Reports how far everything is; none when that is not enough for a verification.
pub(crate) async fn look<P: Projection>(
    projection: &P,
    connections: &Connections,
    limits: Limits,
    report: &mut Report,
) -> Option<Seen> {
    if !schemas(projection, connections, report).await {
        return None;
    }
    // Against the direction of the events: an event that is appended meanwhile can't put a later stage ahead.
    let rows = rows(projection, connections)
        .await
        .map_err(|error| report.unknown(error))
        .ok();
    let stream = connections.stream().await.map(|stream| StreamState::of(&stream));
    let head = match connections.log.head().await {
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
    judge_rows(projection, &rows, head, report);
    judge_event(projection, connections, &rows.state, head, report).await;
    let checkpoint = rows.state.checkpoint;
    match rebuild::State::look(projection, &connections.read).await {
        Ok(state) => state.tell(report),
        Err(reason) => report.unknown(reason),
    }
    lags(connections, checkpoint, stream.as_ref(), head, limits, report).await;
    Some(Seen { head, stream })
}

/// Whether this build knows both schemas; if not, nothing more can be examined.
async fn schemas<P: Projection>(projection: &P, connections: &Connections, report: &mut Report) -> bool {
    let migrations = projection.migrations();
    let (read, events) = (
        migrations.check(&connections.read).await,
        event_store::check_schema(&connections.events).await,
    );
    let known = migrations.newest();
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

/// The state of the rows.
struct Rows {
    state: CheckpointState,
    /// Parked events.
    parked: u64,
    /// Aggregates among them that this build has not tried.
    untried: usize,
}

async fn rows<P: Projection>(projection: &P, connections: &Connections) -> Result<Rows, String> {
    let client = connections.read.get().await.map_err(|error| describe(&error))?;
    let rows = async {
        Ok(Rows {
            state: checkpoint::read_state(&client, projection).await?,
            parked: parked::count(&client, projection).await?,
            untried: parked::list_untried(&client, projection, i64::MAX).await?.len(),
        })
    };
    rows.await
        .map_err(|error: tokio_postgres::Error| describe(&error))
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

fn judge_rows(projection: &impl Projection, rows: &Rows, head: LogHead, report: &mut Report) {
    let Rows {
        state,
        parked,
        untried,
    } = rows;
    let Checkpoint { position, epoch } = state.checkpoint;
    let fingerprint = state.fingerprint.map(|event| event.to_string());
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
    if state.stale {
        report.problem("the rows are of another log than there is now: answers are marked as stale");
    }
    if epoch.is_nil() {
        report.problem("no projector has begun: there is no checkpoint");
    } else if epoch != head.epoch {
        let log = head.epoch;
        report.problem(format!(
            "the rows are of epoch {epoch} of the log, which is in epoch {log}"
        ));
    } else if position > head.position {
        let head = head.position;
        report.problem(format!(
            "the checkpoint {position} is beyond the log's head {head}: was the log restored without a new epoch?"
        ));
    }
    if *parked > 0 {
        let program = projection.commands().program;
        report.problem(format!("{parked} events are parked: see `{program} parked list`"));
    }
}

/// Whether the log holds the event of the checkpoint.
async fn judge_event<P: Projection>(
    projection: &P,
    connections: &Connections,
    state: &CheckpointState,
    head: LogHead,
    report: &mut Report,
) {
    let Checkpoint { position, epoch } = state.checkpoint;
    // These problems are reported already.
    if epoch != head.epoch || position > head.position {
        return;
    }
    match log_marks::look(&connections.log, state.mark()).await {
        Ok((page, Err(contradiction))) if page.head.epoch == epoch => {
            let command = projection.commands().new_epoch;
            report.problem(format!(
                "the rows contradict the log: {contradiction}; nothing is applied until `{command}` is run"
            ));
        }
        Ok(_) => {}
        Err(error) => log_failed(&error, report),
    }
}

/// How far each hop is behind, in events and in seconds.
async fn lags(
    connections: &Connections,
    checkpoint: Checkpoint,
    stream: Option<&StreamState>,
    head: LogHead,
    limits: Limits,
    report: &mut Report,
) {
    let mut hops = Vec::new();
    let (applied, log) = (checkpoint.position, head.position);
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
        let seconds = match age_of_next(&connections.log, done, positions).await {
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

/// How long the first event after `done` has waited; 0 if none waits.
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
