//! `projector rebuild`: the rows again from position 1, by this build, beside the live ones; and then in their place.
//! The way to mend rows, and to bring in a read model of another shape. Reads and projection go on all the time.

mod build;
mod compare;
mod swap;

use std::process::ExitCode;

use deadpool_postgres::{Client, Pool, PoolError};
use read_model::{Checkpoint, checkpoint};
use serde_json::{Value, json};
use service::postgres::{PoolOptions, describe};
use service::secret::BadSecret;
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use crate::config::RebuildOptions;
use crate::replay::ReplayError;
use crate::report::Report;
use crate::shadow_schema;

/// Where the rows are built.
const BUILDING: &str = "licensing_rebuild";
/// Where the rows that were live before the last swap are kept.
const KEPT: &str = "licensing_previous";
/// Key of the advisory lock that lets one rebuild run at a time; the ASCII codes of `rebuild`.
const LOCK: i64 = 0x0072_6562_7569_6c64;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Refused(String),
    #[error("interrupted: the live rows are as they were")]
    Interrupted,
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("the read database failed")]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection to the read database")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Read(#[from] read_model::Error),
    #[error(transparent)]
    Schema(#[from] read_model::SchemaError),
}

impl Failed {
    /// Whether it may go better in a moment.
    fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if swap::is_lock(error))
    }
}

/// Rebuilds, rolls back or discards. Exit status 0 if that was done, 1 if it was refused because of what was found, 2
/// if it could not be done.
pub async fn rebuild(options: RebuildOptions) -> ExitCode {
    report(&options).await.tell(options.json)
}

/// As [`rebuild`], for programs: gives what that says as JSON.
pub async fn rebuild_and_report(options: &RebuildOptions) -> Value {
    report(options).await.value()
}

/// The rows again in the life that the log has begun, beside those of the life before, and then in their place; those are
/// dropped, because there is no way back to them. False, and nothing done, if another rebuild is under way.
pub(crate) async fn renew(
    read_url: &str,
    log: &event_store::Log,
    end: &CancellationToken,
) -> Result<bool, String> {
    let (read_url, log, end) = (read_url.to_owned(), log.clone(), end.clone());
    let runtime = tokio::runtime::Handle::current();
    // On a thread of its own: what the swap repeats borrows what it changes, and can't move between threads.
    let renewing = move || runtime.block_on(renew_alone(&read_url, &log, &end));
    match tokio::task::spawn_blocking(renewing).await {
        Ok(renewed) => renewed.map_err(|failed| describe(&failed)),
        Err(error) => Err(error.to_string()),
    }
}

async fn renew_alone(
    read_url: &str,
    log: &event_store::Log,
    end: &CancellationToken,
) -> Result<bool, Failed> {
    let read = pool(read_url, 4)?;
    let mut keeper = read.get().await?;
    if !shadow_schema::begin_alone(&keeper, LOCK).await? {
        return Ok(false);
    }
    let order = build::Order {
        read_url,
        window: crate::load::WINDOW,
        accept_differences: true,
    };
    let mut report = Report::of_a_change("rebuild");
    let outcome = build::build(&order, &mut keeper, &read, log, end, &mut report).await;
    let left = if outcome.is_ok() { KEPT } else { BUILDING };
    let dropped = shadow_schema::drop_schema(&keeper, left).await;
    shadow_schema::end_alone(&keeper, LOCK).await;
    outcome?;
    dropped?;
    Ok(true)
}

/// A pool whose statements may take as long as they need.
fn pool(url: &str, size: usize) -> Result<Pool, Failed> {
    let limits = PoolOptions {
        db_pool_size: size,
        db_statement_timeout_s: 0,
    };
    service::postgres::pool(url, &limits, "projector rebuild")
        .map_err(|error| Failed::Refused(format!("{error:#}")))
}

async fn report(options: &RebuildOptions) -> Report {
    let mut report = Report::of_a_change("rebuild");
    let end = CancellationToken::new();
    match end_on_signals(&end) {
        Ok(()) => match run(options, &end, &mut report).await {
            Ok(()) => {}
            Err(Failed::Refused(problem)) => report.problem(problem),
            Err(failed) => report.unknown(describe(&failed)),
        },
        Err(error) => report.unknown(error.to_string()),
    }
    report
}

fn end_on_signals(end: &CancellationToken) -> std::io::Result<()> {
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

async fn run(options: &RebuildOptions, end: &CancellationToken, report: &mut Report) -> Result<(), Failed> {
    let refused = |error: BadSecret| Failed::Refused(error.to_string());
    let (read_url, events_url) = (
        options.read.url().map_err(refused)?,
        options.events.url().map_err(refused)?,
    );
    let read = pool(read_url.expose(), 4)?;
    let events = pool(events_url.expose(), crate::load::shares() + 1)?;
    let log = event_store::Log::new(events);
    // The lock is the session's, and the swap is made by that session: who lost the lock can't swap.
    let mut keeper = read.get().await?;
    if !shadow_schema::begin_alone(&keeper, LOCK).await? {
        return Err(Failed::Refused(
            "another rebuild of this projection is under way".into(),
        ));
    }
    let outcome = if options.instead.discard {
        discard(&keeper, report).await
    } else if options.instead.rollback {
        roll_back(&mut keeper, &log, end, report).await
    } else {
        let order = build::Order {
            read_url: read_url.expose(),
            window: options.window,
            accept_differences: options.accept_differences,
        };
        let outcome = build::build(&order, &mut keeper, &read, &log, end, report).await;
        // Gone already after a swap.
        let dropped = shadow_schema::drop_schema(&keeper, BUILDING).await;
        outcome.and(dropped.map_err(Failed::from))
    };
    shadow_schema::end_alone(&keeper, LOCK).await;
    outcome
}

/// The rows that were live before the last swap become the live ones again, at the position they have; the projector
/// then catches up. Those that were live are kept in their place.
async fn roll_back(
    keeper: &mut Client,
    log: &event_store::Log,
    end: &CancellationToken,
    report: &mut Report,
) -> Result<(), Failed> {
    let kept = kept(keeper).await?.ok_or_else(nothing_kept)?;
    let head = log.head().await.map_err(|error| ReplayError::Log(error.into()))?;
    if kept.epoch != head.epoch {
        let reason = "the kept rows are of another epoch of the log: there is no way back to them";
        return Err(Failed::Refused(reason.into()));
    }
    let from = swap::until_free(keeper, end, async |transaction| {
        let arriving = swap::prepare(transaction, KEPT).await?;
        let live = swap::fence(transaction).await?;
        swap::exchange(transaction, &arriving).await?;
        Ok(live)
    })
    .await?;
    let (from, to) = (from.position, kept.position);
    report.fact(
        "rolled_back",
        json!(true),
        format!("from position {from} to {to}"),
    );
    report.fact("position", json!(to), format!("{to}, and a projector catches up"));
    say_schema(keeper, report).await
}

/// Of which build the live tables are, in case it is not this one.
async fn say_schema(keeper: &Client, report: &mut Report) -> Result<(), Failed> {
    let (live, known) = (
        read_model::applied_schema(&***keeper).await?.unwrap_or(0),
        read_model::known_schema(),
    );
    let said = if live == known {
        live.to_string()
    } else {
        format!("{live}, and this build knows {known}: start the build that knows it")
    };
    report.fact("schema", json!(live), said);
    Ok(())
}

async fn discard(keeper: &Client, report: &mut Report) -> Result<(), Failed> {
    let kept = kept(keeper).await?.ok_or_else(nothing_kept)?;
    shadow_schema::drop_schema(keeper, KEPT).await?;
    let position = kept.position;
    report.fact(
        "discarded",
        json!(true),
        format!("the rows kept at position {position}"),
    );
    Ok(())
}

fn nothing_kept() -> Failed {
    Failed::Refused("no rows are kept: nothing was swapped since the last discard".into())
}

/// Where the kept rows stand, if there are any.
async fn kept(client: &Client) -> Result<Option<Checkpoint>, Failed> {
    let there = client
        .query_one(
            "select to_regclass($1::text || '.checkpoints') is not null",
            &[&KEPT],
        )
        .await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = match client
        .query_opt(
            include_str!("sql/rebuild/read_kept_checkpoint.sql"),
            &[&checkpoint::PROJECTION],
        )
        .await
    {
        // Discarded just now.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        row => row?,
    };
    // Tables without a checkpoint were kept before any projector began.
    row.map_or(Ok(Some(Checkpoint::default())), |row| {
        Ok(Some(Checkpoint {
            position: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0),
            epoch: row.try_get(1)?,
        }))
    })
}

/// How it stands, seen from outside.
pub(crate) struct State {
    /// One is under way.
    pub(crate) running: bool,
    /// One was killed, and left something behind.
    pub(crate) interrupted: bool,
    /// Where the rows stand that were live before the last one.
    pub(crate) kept: Option<u64>,
}

impl State {
    pub(crate) async fn look(pool: &Pool) -> Result<Self, String> {
        Self::read(pool).await.map_err(|error| describe(&error))
    }

    async fn read(pool: &Pool) -> Result<Self, Failed> {
        let client = pool.get().await?;
        let row = client
            .query_one(include_str!("sql/rebuild/look.sql"), &[&LOCK, &BUILDING])
            .await?;
        let (running, building): (bool, bool) = (row.try_get("running")?, row.try_get("building")?);
        Ok(Self {
            running,
            interrupted: building && !running,
            kept: kept(&client).await?.map(|kept| kept.position),
        })
    }

    /// For `projector status`.
    pub(crate) fn tell(&self, report: &mut Report) {
        let Self {
            running,
            interrupted,
            kept,
        } = *self;
        let state = match (running, interrupted) {
            (true, _) => "under way",
            (false, true) => "one was interrupted, the next begins afresh",
            (false, false) => "none under way",
        };
        let rows = kept.map_or(String::new(), |position| {
            format!("; the rows before the last are kept, at position {position}")
        });
        report.fact(
            "rebuild",
            json!({"running": running, "interrupted": interrupted, "kept_position": kept}),
            format!("{state}{rows}"),
        );
    }
}
