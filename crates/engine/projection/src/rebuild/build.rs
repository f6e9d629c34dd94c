//! Builds the rows in a shadow schema, compares them with the live ones, and swaps.

use std::time::Instant;

use deadpool_postgres::{Client, Pool};
use envelope::Position;
use event_store::Log;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::Failed;
use super::{compare, swap};
use crate::checkpoint::{self, Checkpoint};
use crate::log_marks;
use crate::progress::Progress;
use crate::projection::Projection;
use crate::replay::{Replay, ReplayError};
use crate::report::Report;
use crate::schema::Schemas;
use crate::shadow_schema::ShadowSchema;

/// At most this many events are applied while the live rows stand still.
const NEAR: u64 = 2_000;
/// How often the rebuild catches up with the live rows before it creates indexes, and again before the swap.
const CHASES: usize = 10;

/// What is to be built, and where.
pub(super) struct Order<'a, P> {
    pub(super) projection: &'a P,
    pub(super) schemas: &'a Schemas,
    /// The live tables.
    pub(super) read: &'a Pool,
    /// The read database, as its owner.
    pub(super) read_url: &'a str,
    pub(super) log: &'a Log,
    /// Positions of the log that each worker reads at once.
    pub(super) window: u64,
    /// Swap also if the rebuilt rows differ from the live ones.
    pub(super) accept_differences: bool,
}

/// Builds, compares and swaps, or refuses and changes nothing but the shadow schema.
pub(super) async fn build<P: Projection>(
    order: &Order<'_, P>,
    keeper: &mut Client,
    end: &CancellationToken,
    report: &mut Report,
) -> Result<(), Failed> {
    let mut times = Times::default();
    let migrations = order.projection.migrations();
    let schema = live_schema(order).await?;
    let plan = Plan::make(order).await?;
    let begun = Instant::now();
    // Runs to its end also when the rebuild is interrupted: a migration that goes on in the server after its client is
    // gone would put tables into the schema while it is dropped.
    let shadow =
        ShadowSchema::create(order.projection, keeper, order.read_url, &order.schemas.building).await?;
    let building = end
        .run_until_cancelled(fill(order, shadow, plan, begun, &mut times))
        .await;
    let mut replay = building.ok_or(Failed::Interrupted)??;
    if plan.comparable {
        let begun = Instant::now();
        let comparing = compare::compare(order.projection, order.schemas, keeper, order.read, &mut replay);
        let tables = end
            .run_until_cancelled(comparing)
            .await
            .ok_or(Failed::Interrupted)??;
        times.add("compare", begun);
        judge(&tables, order.accept_differences, report)?;
    }

    let begun = Instant::now();
    let (from, to) = swap::until_free(keeper, end, async |transaction| {
        chase(order, &mut replay).await?;
        let building = &order.schemas.building;
        let arriving = swap::prepare(transaction, order.projection, order.schemas, building).await?;
        let live = swap::fence(transaction, order.projection).await?;
        if migrations.applied(&**transaction).await? != Some(schema) {
            let reason = "the live tables were migrated meanwhile: begin again";
            return Err(Failed::Refused(reason.into()));
        }
        if live.epoch == plan.epoch {
            replay.advance(live.position, |_| {}).await?;
            compare::same_event(
                &checkpoint::read_state(transaction, order.projection).await?,
                &replay,
            )?;
        }
        replay.same_log().await?;
        swap::exchange(transaction, order.projection, order.schemas, &arriving).await?;
        Ok((live.position, replay.reached()))
    })
    .await?;
    times.add("swap", begun);
    report.fact(
        "swapped",
        json!(true),
        format!("live rows at {from}, rebuilt at {to}"),
    );
    report.fact("position", json!(to), to.to_string());
    report.fact("kept", json!(true), "the old rows: `--rollback` or `--discard`");
    times.tell(plan.to, report);
    say_schema(order.projection, keeper, report).await
}

/// Reports which schema the live tables have, and if this build knows another.
pub(super) async fn say_schema(
    projection: &impl Projection,
    keeper: &Client,
    report: &mut Report,
) -> Result<(), Failed> {
    let migrations = projection.migrations();
    let live = migrations.applied(&***keeper).await?.unwrap_or(0);
    let known = migrations.newest();
    let said = if live == known {
        live.to_string()
    } else {
        format!("{live}, and this build knows {known}: start the build that knows it")
    };
    report.fact("schema", json!(live), said);
    Ok(())
}

/// How far to build, and of what.
#[derive(Clone, Copy)]
struct Plan {
    epoch: Uuid,
    /// How far to load before indexes are created.
    to: Position,
    /// Whether there are live rows of this epoch of the log to compare with.
    comparable: bool,
}

impl Plan {
    async fn make<P: Projection>(order: &Order<'_, P>) -> Result<Self, Failed> {
        let head = async || order.log.head().await.map_err(ReplayError::log);
        let client = order.read.get().await?;
        checkpoint::start(&client, order.projection, head().await?.epoch).await?;
        let live = checkpoint::read(&client, order.projection).await?;
        // Read after the checkpoint, which moves on meanwhile and is never beyond a later head.
        let head = head().await?;
        // Rows beyond the live ones could not be compared with them.
        let comparable = live.epoch == head.epoch && live.position > Position::START;
        let to = if comparable { live.position } else { head.position };
        if to > head.position {
            let reason = format!(
                "the live rows are at {to}, beyond the log's head {}",
                head.position
            );
            return Err(Failed::Refused(reason));
        }
        Ok(Self {
            epoch: head.epoch,
            to,
            comparable,
        })
    }
}

/// The schema of the live tables, which must not be of a later build.
async fn live_schema<P: Projection>(order: &Order<'_, P>) -> Result<i32, Failed> {
    let migrations = order.projection.migrations();
    let Some(found) = migrations.applied(&**order.read.get().await?).await? else {
        let command = migrations.command();
        let reason = format!("there are no live tables: run `{command}`");
        return Err(Failed::Refused(reason));
    };
    match migrations.refuse_newer(found) {
        Ok(()) => Ok(found),
        Err(error) => Err(Failed::Refused(error.to_string())),
    }
}

/// Fills the shadow schema up to about the position of the live rows, and creates its indexes.
async fn fill<P: Projection>(
    order: &Order<'_, P>,
    mut shadow: ShadowSchema,
    plan: Plan,
    begun: Instant,
    times: &mut Times,
) -> Result<Replay<P>, Failed> {
    let (projection, log) = (order.projection, order.log);
    if plan.comparable {
        live_is_of_the_log(order).await?;
    }
    let replay = Replay::begin(projection.clone(), shadow.pool.clone(), log.clone(), plan.epoch).await?;
    let mut replay = replay.with_window(order.window);
    let mut progress = Progress::new("loading events", plan.to.get());
    replay.advance(plan.to, |done| progress.at(done)).await?;
    chase(order, &mut replay).await?;
    drop(progress);
    times.add("load", begun);
    let begun = Instant::now();
    let mut progress = Progress::new("making indexes", shadow.indexes());
    shadow.build_indexes(|built| progress.at(built)).await?;
    times.add("indexes", begun);
    chase(order, &mut replay).await?;
    Ok(replay)
}

/// Catches up with the live rows until they are near; with the log itself if they are of another epoch.
async fn chase<P: Projection>(order: &Order<'_, P>, replay: &mut Replay<P>) -> Result<(), Failed> {
    for _ in 0..CHASES {
        let client = order.read.get().await?;
        let Checkpoint { position, epoch } = checkpoint::read(&client, order.projection).await?;
        drop(client);
        let to = if epoch == replay.epoch() {
            position
        } else {
            order.log.head().await.map_err(ReplayError::log)?.position
        };
        if to.since(replay.reached()) <= NEAR {
            break;
        }
        replay.advance(to, |_| {}).await?;
    }
    Ok(())
}

/// Refuses live rows at an event that the log does not hold: the log lost events, and there is nothing to compare with.
async fn live_is_of_the_log<P: Projection>(order: &Order<'_, P>) -> Result<(), Failed> {
    let live = checkpoint::read_state(&order.read.get().await?, order.projection).await?;
    let (_, proof) = log_marks::look(order.log, live.mark())
        .await
        .map_err(ReplayError::log)?;
    proof.map_err(|contradiction| Failed::Refused(format!("the live rows: {contradiction}")))
}

/// Reports what was compared; refuses if something differs, unless that is accepted.
fn judge(tables: &[compare::Table], accept: bool, report: &mut Report) -> Result<(), Failed> {
    let differing: Vec<String> = tables.iter().filter_map(compare::Table::differs).collect();
    let rows: i64 = tables.iter().map(|table| table.rows).sum();
    let json: Map<String, Value> = tables
        .iter()
        .map(|table| (table.name().to_owned(), table.json()))
        .collect();
    let said = if differing.is_empty() {
        format!("{rows} rows, the same as the live ones")
    } else {
        format!("{rows} rows; {}", differing.join("; "))
    };
    report.fact("compared", Value::Object(json), said);
    if differing.is_empty() || accept {
        return Ok(());
    }
    for difference in differing {
        report.problem(difference);
    }
    Err(Failed::Refused(
        "the rebuilt rows are not the live ones: nothing was swapped; `--accept-differences` swaps all the same"
            .into(),
    ))
}

/// How long each part took.
#[derive(Default)]
struct Times(Vec<(&'static str, f64)>);

impl Times {
    fn add(&mut self, part: &'static str, begun: Instant) {
        self.0.push((part, begun.elapsed().as_secs_f64()));
    }

    fn tell(&self, events: Position, report: &mut Report) {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(part, s)| format!("{part} {s:.2} s"))
            .collect();
        let json: Map<String, Value> = self
            .0
            .iter()
            .map(|(part, s)| ((*part).to_owned(), json!(s)))
            .collect();
        report.fact("events", json!(events), events.to_string());
        report.fact("seconds", Value::Object(json), parts.join(", "));
    }
}
