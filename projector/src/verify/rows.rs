//! The rows are what a replay of the log gives: the whole log is applied again, to tables beside the live ones, and
//! both are compared at one and the same checkpoint.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, Transaction};
use envelope::Position;
use event_store::Error as LogError;
use read_model::{Checkpoint, Digest, checkpoint, digest, row_hashes};
use serde_json::json;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use super::{EXAMPLES, Unfinished, unknown};
use crate::connections::Connections;
use crate::mark;
use crate::progress::Progress;
use crate::replay::{Replay, ReplayError};
use crate::report::Report;
use crate::shadow_schema::{self, ShadowSchema};

/// Where the log is replayed to, in the read database. Nobody but its owner can read there.
const SCRATCH: &str = "verify_scratch";
/// Key of the advisory lock that lets one verification run at a time; the ASCII codes of `verify`.
const LOCK: i64 = 0x7665_7269_6679;

pub(super) async fn prove(
    reach: &Connections,
    read_url: &str,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    // The lock is the session's, so it goes with this client, however we leave.
    let keeper = reach.read.get().await.map_err(unknown)?;
    if !shadow_schema::begin_alone(&keeper, LOCK).await.map_err(unknown)? {
        let reason = "another verification of these rows is under way";
        return Err(Unfinished::Unknown(reason.into()));
    }
    // From here on there is something to tidy up.
    let compared = tokio::select! {
        compared = replay_and_compare(reach, &keeper, read_url, epoch, report) => compared,
        _ = tokio::signal::ctrl_c() => Err(Unfinished::Unknown("interrupted before the rows were compared".into())),
    };
    let dropped = shadow_schema::drop_schema(&keeper, SCRATCH).await;
    shadow_schema::end_alone(&keeper, LOCK).await;
    compared.and(dropped.map_err(unknown))
}

async fn replay_and_compare(
    reach: &Connections,
    keeper: &Client,
    read_url: &str,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    // Also drops what one that was killed left behind.
    let scratch = ShadowSchema::create(keeper, read_url, SCRATCH)
        .await
        .map_err(replay_failed)?;
    let mut replay = Replay::begin(scratch.pool.clone(), reach.log.clone(), epoch)
        .await
        .map_err(replay_failed)?;

    // The long way without a snapshot, so that the live tables can be tidied meanwhile; then the rest with one.
    let client = reach.read.get().await.map_err(unknown)?;
    let near = checkpoint::read(&**client).await.map_err(unknown)?;
    drop(client);
    same_epoch(near, epoch)?;
    advance(&mut replay, near.position).await?;
    let mut client = reach.read.get().await.map_err(unknown)?;
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(unknown)?;
    // Before the snapshot: tables that a rebuild swapped in after it would be empty in it.
    snapshot
        .batch_execute(include_str!("../sql/hold_tables.sql"))
        .await
        .map_err(unknown)?;
    let standing = checkpoint::read_state(&*snapshot).await.map_err(unknown)?;
    let at = standing.checkpoint;
    same_epoch(at, epoch)?;
    advance(&mut replay, at.position).await?;
    let live = mark::of(&standing);
    if live.fingerprint.is_some() && live != replay.mark() {
        let reason = format!(
            "the rows are at another event of position {} than the log: there is no replay to compare them with",
            at.position
        );
        return Err(Unfinished::Wrong(reason));
    }

    let replayed = scratch.pool.get().await.map_err(unknown)?;
    compare(&snapshot, &replayed, at.position, report).await
}

/// Rows of another life of the log have nothing to be compared with.
fn same_epoch(checkpoint: Checkpoint, epoch: Uuid) -> Result<(), Unfinished> {
    if checkpoint.epoch == epoch {
        return Ok(());
    }
    let reason = "the rows are not of this epoch of the log: there is no replay to compare them with";
    Err(Unfinished::Unknown(reason.into()))
}

async fn advance(replay: &mut Replay, to: u64) -> Result<(), Unfinished> {
    let to = Position::new(to);
    if to < replay.reached() {
        let reason = "the rows went back meanwhile: another verification will do";
        return Err(Unfinished::Unknown(reason.into()));
    }
    let mut progress = Progress::new("replaying the log", to.since(replay.reached()));
    replay
        .advance(to, |done| progress.at(done))
        .await
        .map_err(replay_failed)
}

/// A replay that stopped because of what the log holds, or because something did not answer.
fn replay_failed(error: ReplayError) -> Unfinished {
    match &error {
        ReplayError::Contradicted(_) => Unfinished::Wrong(format!(
            "the log can't be replayed, so the rows can't be compared: {error}"
        )),
        ReplayError::Log(cause) => match cause.downcast_ref::<LogError>() {
            Some(LogError::Unavailable(_)) => unknown(error),
            _ => Unfinished::Wrong(format!(
                "the log can't be replayed, so the rows can't be compared: {cause}"
            )),
        },
        _ => unknown(error),
    }
}

async fn compare(
    live: &Transaction<'_>,
    replayed: &Client,
    position: u64,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let of_live = digest(&**live).await.map_err(unknown)?;
    let of_replay = digest(&***replayed).await.map_err(unknown)?;
    let differing: Vec<&String> = of_replay
        .iter()
        .filter(|(table, digest)| of_live.get(*table) != Some(*digest))
        .map(|(table, _)| table)
        .collect();
    for table in &differing {
        let due = row_hashes(&***replayed, table).await.map_err(unknown)?;
        let are = row_hashes(&**live, table).await.map_err(unknown)?;
        let missing = due
            .keys()
            .filter(|id| !are.contains_key(*id))
            .map(|id| (id, "is missing"));
        let extra = are
            .keys()
            .filter(|id| !due.contains_key(*id))
            .map(|id| (id, "should not be"));
        let other = due
            .iter()
            .filter(|(id, hash)| are.get(*id).is_some_and(|is| is != *hash))
            .map(|(id, _)| (id, "differs"));
        let mut rows: Vec<_> = missing.chain(extra).chain(other).collect();
        rows.sort_unstable();
        let count = rows.len();
        let mut named: Vec<String> = rows
            .iter()
            .take(EXAMPLES)
            .map(|(id, how)| format!("{id} {how}"))
            .collect();
        if count > EXAMPLES {
            named.push("…".into());
        }
        report.problem(format!(
            "table {table} is not what a replay up to {position} gives, in {count} rows: {}",
            named.join(", ")
        ));
    }
    say(&of_live, position, differing.len(), report);
    Ok(())
}

fn say(live: &BTreeMap<String, Digest>, position: u64, differ: usize, report: &mut Report) {
    let rows: BTreeMap<&String, i64> = live.iter().map(|(table, digest)| (table, digest.rows)).collect();
    let total: i64 = rows.values().sum();
    report.fact(
        "rows_proof",
        json!({"position": position, "rows": rows, "tables_that_differ": differ}),
        format!("{total} rows compared with a replay up to {position}, {differ} tables differ"),
    );
}
