//! Building the rows beside the live ones, holding them against those, and swapping.

use std::time::Instant;

use deadpool_postgres::{Client, Pool};
use envelope::Position;
use event_store::Log;
use read_model::checkpoint::CheckpointState;
use read_model::{Checkpoint, SchemaError, applied_schema, checkpoint, known_schema, write};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{BUILDING, Failed, compare, swap};
use crate::mark;
use crate::progress::Progress;
use crate::replay::{Replay, ReplayError};
use crate::report::Report;
use crate::shadow_schema::ShadowSchema;

/// So few events behind the live rows, the rest is applied while those stand still.
const NEAR: u64 = 2_000;
/// How often the live rows are run after before indexes are made, and again before the swap.
const CHASES: usize = 10;

/// What is asked for.
pub(super) struct Order<'a> {
    /// The read database, as its owner.
    pub(super) read_url: &'a str,
    /// Positions of the log that each worker reads at once.
    pub(super) window: u64,
    /// Swap also if the rebuilt rows are not the live ones.
    pub(super) accept_differences: bool,
}

/// Builds, compares and swaps, or refuses and leaves everything as it was but for the schema it built in.
pub(super) async fn build(
    order: &Order<'_>,
    keeper: &mut Client,
    read: &Pool,
    log: &Log,
    end: &CancellationToken,
    report: &mut Report,
) -> Result<(), Failed> {
    let mut times = Times::default();
    let schema = live_schema(read).await?;
    let plan = Plan::make(read, log).await?;
    let building = end
        .run_until_cancelled(fill(order, keeper, read, log, plan, &mut times))
        .await;
    let mut replay = building.ok_or(Failed::Interrupted)??;
    if plan.comparable {
        let begun = Instant::now();
        let comparing = compare::compare(keeper, read, &mut replay);
        let tables = end
            .run_until_cancelled(comparing)
            .await
            .ok_or(Failed::Interrupted)??;
        times.add("compare", begun);
        judge(&tables, order.accept_differences, report)?;
    }

    let begun = Instant::now();
    let (from, to) = swap::until_free(keeper, end, async |transaction| {
        chase(read, log, &mut replay).await?;
        let arriving = swap::prepare(transaction, BUILDING).await?;
        let live = swap::fence(transaction).await?;
        if applied_schema(&**transaction).await? != Some(schema) {
            let reason = "the live tables were migrated meanwhile: begin again";
            return Err(Failed::Refused(reason.into()));
        }
        if live.epoch == plan.epoch {
            replay.advance(Position::new(live.position), |_| {}).await?;
            same_event(&checkpoint::read_state(&**transaction).await?, &replay)?;
        }
        replay.same_log().await?;
        swap::exchange(transaction, &arriving).await?;
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
    super::say_schema(keeper, report).await
}

/// What is to be built.
#[derive(Clone, Copy)]
struct Plan {
    epoch: uuid::Uuid,
    /// How far to begin with.
    to: Position,
    /// Whether there are live rows of this life of the log to compare with.
    comparable: bool,
}

impl Plan {
    async fn make(read: &Pool, log: &Log) -> Result<Self, Failed> {
        let head = async || log.head().await.map_err(|error| ReplayError::Log(error.into()));
        let client = read.get().await?;
        write::start_checkpoint(&client, head().await?.epoch).await?;
        let live = checkpoint::read(&**client).await?;
        // After the live rows: they go on meanwhile, and are never beyond a head that is read later.
        let head = head().await?;
        // Not beyond the live rows: they could not be compared with later ones.
        let comparable = live.epoch == head.epoch && live.position > 0;
        let to = if comparable {
            Position::new(live.position)
        } else {
            head.position
        };
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
async fn live_schema(read: &Pool) -> Result<i32, Failed> {
    let found = applied_schema(&**read.get().await?).await?;
    let known = known_schema();
    match found {
        None => Err(Failed::Refused(
            "there are no live tables: run `projector migrate`".into(),
        )),
        Some(found) if found > known => Err(Failed::Refused(SchemaError::Newer { found, known }.to_string())),
        Some(found) => Ok(found),
    }
}

/// Tables with everything up to about where the live rows are, and their indexes.
async fn fill(
    order: &Order<'_>,
    keeper: &Client,
    read: &Pool,
    log: &Log,
    plan: Plan,
    times: &mut Times,
) -> Result<Replay, Failed> {
    let begun = Instant::now();
    let mut beside = ShadowSchema::create(keeper, order.read_url, BUILDING).await?;
    if plan.comparable {
        live_is_of(log, read).await?;
    }
    let replay = Replay::begin(beside.pool.clone(), log.clone(), plan.epoch).await?;
    let mut replay = replay.with_window(order.window);
    let mut progress = Progress::new("loading events", plan.to.get());
    replay.advance(plan.to, |done| progress.at(done)).await?;
    chase(read, log, &mut replay).await?;
    drop(progress);
    times.add("load", begun);
    let begun = Instant::now();
    let mut progress = Progress::new("making indexes", beside.indexes());
    beside.build_indexes(|built| progress.at(built)).await?;
    times.add("indexes", begun);
    chase(read, log, &mut replay).await?;
    Ok(replay)
}

/// Runs after the live rows until they are near; after the log itself, where those are of another life of it.
async fn chase(read: &Pool, log: &Log, replay: &mut Replay) -> Result<(), Failed> {
    for _ in 0..CHASES {
        let Checkpoint { position, epoch } = checkpoint::read(&**read.get().await?).await?;
        let to = if epoch == replay.epoch() {
            Position::new(position)
        } else {
            let head = log.head().await.map_err(|error| ReplayError::Log(error.into()))?;
            head.position
        };
        if to.since(replay.reached()) <= NEAR {
            break;
        }
        replay.advance(to, |_| {}).await?;
    }
    Ok(())
}

/// Refuses live rows at an event that the log does not hold: the log lost events, and there is nothing to compare with.
async fn live_is_of(log: &Log, read: &Pool) -> Result<(), Failed> {
    let live = checkpoint::read_state(&**read.get().await?).await?;
    let (_, proof) = mark::look(log, mark::of(&live))
        .await
        .map_err(|error| ReplayError::Log(error.into()))?;
    proof.map_err(|contradiction| Failed::Refused(format!("the live rows: {contradiction}")))
}

/// Refuses rows that are at the position of the live ones and not at their event: the log lost events and has others now.
pub(super) fn same_event(live: &CheckpointState, replay: &Replay) -> Result<(), Failed> {
    let (live, rebuilt) = (mark::of(live), replay.mark());
    if live.fingerprint.is_none() || live.position != rebuilt.position || live == rebuilt {
        return Ok(());
    }
    let position = live.position;
    Err(Failed::Refused(format!(
        "the live rows are at another event of position {position} than the rebuilt ones: the log was restored without a new epoch"
    )))
}

/// Says what was compared; refused if something differs, unless that is accepted.
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
