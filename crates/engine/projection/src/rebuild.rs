//! The rows again from position 1, by this build, in a shadow schema; and then as the live rows. Repairs rows, and brings in
//! tables of another shape. Reads and projection continue meanwhile.

mod build;
mod compare;
mod error;
mod state;
mod swap;

use std::sync::Arc;

use deadpool_postgres::{Client, Pool};
use event_store::Log;
use event_store::vault::Vault;
use serde_json::json;
use service::postgres::{PoolOptions, describe};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::build::Order;
use self::error::Failed;
use crate::connections::opening;
use crate::projection::Projection;
use crate::replay::{ReplayError, WINDOW};
use crate::report::Report;
use crate::schema::{self, Schemas};
use crate::{shadow_schema, workers};

pub(crate) use self::state::State;

/// What to do, and where.
#[derive(Clone)]
pub struct RebuildOptions {
    /// The event database, as a role that can only select.
    pub events_url: String,
    /// The read database, as its owner.
    pub read_url: String,
    /// Opens the personal data in events.
    pub vault: Option<Arc<Vault>>,
    /// How many positions of the log each worker reads at once; memory grows with it. See [`WINDOW`].
    pub window: u64,
    /// What to do.
    pub task: RebuildTask,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildTask {
    /// Build the rows and swap them in.
    Build {
        /// Swap also if the rebuilt rows differ from the live ones, as those of changed code do.
        accept_differences: bool,
    },
    /// Make the rows that were live before the last swap live again, and keep the present ones.
    RollBack,
    /// Drop the rows that were kept at the last swap.
    Discard,
}

/// Rebuilds, rolls back or discards, until `end`.
pub async fn rebuild<P: Projection>(
    projection: &P,
    options: &RebuildOptions,
    end: &CancellationToken,
) -> Report {
    let mut report = Report::of_a_change(projection, "rebuild");
    match run(projection, options, end, &mut report).await {
        Ok(()) => {}
        Err(Failed::Refused(problem)) => report.problem(problem),
        Err(failed) => report.unknown(describe(&failed)),
    }
    report
}

/// Rebuilds the rows for a new epoch of the log, swaps them in, and drops the old ones, because there is no way back to
/// them. False, with nothing changed, if another rebuild is under way.
pub(crate) async fn renew<P: Projection>(
    projection: &P,
    read_url: &str,
    log: &Log,
    end: &CancellationToken,
) -> Result<bool, String> {
    let (projection, read_url) = (projection.clone(), read_url.to_owned());
    let (log, end) = (log.clone(), end.clone());
    let runtime = Handle::current();
    // On a thread of its own: the closure of the swap borrows what it changes, so its future is not known to be `Send`.
    let renewing = move || runtime.block_on(renew_alone(&projection, &read_url, &log, &end));
    match spawn_blocking(renewing).await {
        Ok(renewed) => renewed.map_err(|failed| describe(&failed)),
        Err(error) => Err(error.to_string()),
    }
}

async fn renew_alone<P: Projection>(
    projection: &P,
    read_url: &str,
    log: &Log,
    end: &CancellationToken,
) -> Result<bool, Failed> {
    let read = read_pool(projection, read_url)?;
    let schemas = Schemas::of(projection);
    let lock = state::lock(projection);
    let mut keeper = read.get().await?;
    if !shadow_schema::begin_alone(&keeper, lock).await? {
        return Ok(false);
    }
    let order = Order {
        projection,
        schemas: &schemas,
        read: &read,
        read_url,
        log,
        window: WINDOW,
        accept_differences: true,
    };
    let mut report = Report::of_a_change(projection, "rebuild");
    let outcome = build::build(&order, &mut keeper, end, &mut report).await;
    let left = if outcome.is_ok() {
        &schemas.kept
    } else {
        &schemas.building
    };
    let dropped = shadow_schema::drop_schema(&keeper, left).await;
    shadow_schema::end_alone(&keeper, lock).await;
    outcome?;
    dropped?;
    Ok(true)
}

/// A pool whose statements may take as long as they need.
fn read_pool(projection: &impl Projection, url: &str) -> Result<Pool, Failed> {
    let name = projection.commands().connection("rebuild");
    schema::pool(projection, url, &limits(4), &name).map_err(unusable)
}

fn limits(db_pool_size: usize) -> PoolOptions {
    PoolOptions {
        db_pool_size,
        db_statement_timeout_s: 0,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn unusable(error: anyhow::Error) -> Failed {
    Failed::Refused(format!("{error:#}"))
}

async fn run<P: Projection>(
    projection: &P,
    options: &RebuildOptions,
    end: &CancellationToken,
    report: &mut Report,
) -> Result<(), Failed> {
    let read = read_pool(projection, &options.read_url)?;
    let name = projection.commands().connection("rebuild");
    let events = limits(workers::count() + 1);
    let events = service::postgres::pool(&options.events_url, &events, &name);
    let log = opening(Log::new(events.map_err(unusable)?), options.vault.as_ref());
    let lock = state::lock(projection);
    // The session that holds the lock also swaps: without the lock there is no swap.
    let mut keeper = read.get().await?;
    if !shadow_schema::begin_alone(&keeper, lock).await? {
        return Err(Failed::Refused(
            "another rebuild of this projection is under way".into(),
        ));
    }
    let schemas = Schemas::of(projection);
    let outcome = match options.task {
        RebuildTask::Discard => discard(projection, &schemas, &keeper, report).await,
        RebuildTask::RollBack => roll_back(projection, &schemas, &mut keeper, &log, end, report).await,
        RebuildTask::Build { accept_differences } => {
            let order = Order {
                projection,
                schemas: &schemas,
                read: &read,
                read_url: &options.read_url,
                log: &log,
                window: options.window,
                accept_differences,
            };
            let outcome = build::build(&order, &mut keeper, end, report).await;
            // A swap has removed the schema.
            let dropped = shadow_schema::drop_schema(&keeper, &schemas.building).await;
            if let Err(error) = &dropped {
                let schema = schemas.building.as_str();
                tracing::warn!(error = %describe(error), schema, "schema not dropped, the next rebuild drops it");
            }
            outcome.and(dropped.map_err(Failed::from))
        }
    };
    shadow_schema::end_alone(&keeper, lock).await;
    outcome
}

/// Makes the kept rows the live ones, at the position they have, and keeps the present ones. A projector then catches up.
async fn roll_back<P: Projection>(
    projection: &P,
    schemas: &Schemas,
    keeper: &mut Client,
    log: &Log,
    end: &CancellationToken,
    report: &mut Report,
) -> Result<(), Failed> {
    let kept = state::kept(keeper, projection).await?.ok_or_else(nothing_kept)?;
    let head = log.head().await.map_err(ReplayError::log)?;
    if kept.epoch != head.epoch {
        let reason = "the kept rows are of another epoch of the log: there is no way back to them";
        return Err(Failed::Refused(reason.into()));
    }
    let from = swap::until_free(keeper, end, async |transaction| {
        let arriving = swap::prepare(transaction, projection, schemas, &schemas.kept).await?;
        let live = swap::fence(transaction, projection).await?;
        swap::exchange(transaction, projection, schemas, &arriving).await?;
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
    build::say_schema(projection, keeper, report).await
}

async fn discard<P: Projection>(
    projection: &P,
    schemas: &Schemas,
    keeper: &Client,
    report: &mut Report,
) -> Result<(), Failed> {
    let kept = state::kept(keeper, projection).await?.ok_or_else(nothing_kept)?;
    shadow_schema::drop_schema(keeper, &schemas.kept).await?;
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
