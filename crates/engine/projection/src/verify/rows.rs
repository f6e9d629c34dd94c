//! The rows are what a replay of the log gives: the whole log is applied to a shadow schema, and both are compared at the same
//! checkpoint.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, Transaction};
use envelope::Position;
use event_store::Error as LogError;
use serde_json::json;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use super::unfinished::{Unfinished, unknown};
use crate::checkpoint::{self, Checkpoint};
use crate::connections::Connections;
use crate::digest::{Digest, digest, row_hashes};
use crate::progress::Progress;
use crate::projection::Projection;
use crate::replay::{Replay, ReplayError};
use crate::report::Report;
use crate::schema::{Schemas, lock_key};
use crate::shadow_schema::{self, ShadowSchema};

/// How many rows of one table are named.
const EXAMPLES: usize = 5;
/// Base key of the advisory lock under which one verification of a projection runs at a time; the ASCII codes of `verify`.
const LOCK: i64 = 0x7665_7269_6679;

pub(super) async fn prove<P: Projection>(
    projection: &P,
    connections: &Connections,
    read_url: &str,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let lock = lock_key(LOCK, projection);
    // The lock is the session's and ends with this client.
    let keeper = connections.read.get().await.map_err(unknown)?;
    if !shadow_schema::begin_alone(&keeper, lock).await.map_err(unknown)? {
        let reason = "another verification of these rows is under way";
        return Err(Unfinished::Inconclusive(reason.into()));
    }
    let scratch = Schemas::of(projection).scratch;
    let comparing = async {
        // Also drops what a killed verification left.
        let shadow = ShadowSchema::create(projection, &keeper, read_url, &scratch)
            .await
            .map_err(replay_failed)?;
        replay_and_compare(projection, connections, &shadow, epoch, report).await
    };
    let compared = tokio::select! {
        compared = comparing => compared,
        _ = tokio::signal::ctrl_c() => {
            Err(Unfinished::Inconclusive("interrupted before the rows were compared".into()))
        }
    };
    let dropped = shadow_schema::drop_schema(&keeper, &scratch).await;
    shadow_schema::end_alone(&keeper, lock).await;
    compared.and(dropped.map_err(unknown))
}

async fn replay_and_compare<P: Projection>(
    projection: &P,
    connections: &Connections,
    shadow: &ShadowSchema,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let mut replay = Replay::begin(
        projection.clone(),
        shadow.pool.clone(),
        connections.log.clone(),
        epoch,
    )
    .await
    .map_err(replay_failed)?;

    // The long stretch without a snapshot, so that the live tables can be vacuumed meanwhile; then the rest with one.
    let mut client = connections.read.get().await.map_err(unknown)?;
    let near = checkpoint::read(&client, projection).await.map_err(unknown)?;
    same_epoch(near, epoch)?;
    advance(&mut replay, near.position).await?;
    let tables = shadow_schema::tables(&client, projection.schema()).await;
    let tables = tables.map_err(unknown)?.join(", ");
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(unknown)?;
    // Keeps the live tables in their schema until the transaction ends, which may be idle for long. Before the first query,
    // which takes the snapshot: tables that a rebuild swaps in after that are empty in it.
    let hold = format!(
        "lock table {tables} in access share mode; set local idle_in_transaction_session_timeout = 0"
    );
    snapshot.batch_execute(&hold).await.map_err(unknown)?;
    let state = checkpoint::read_state(&snapshot, projection)
        .await
        .map_err(unknown)?;
    let at = state.checkpoint;
    same_epoch(at, epoch)?;
    advance(&mut replay, at.position).await?;
    if replay.contradicts(&state) {
        let reason = format!(
            "the rows are at another event of position {} than the log: there is no replay to compare them with",
            at.position
        );
        return Err(Unfinished::Wrong(reason));
    }

    let replayed = shadow.pool.get().await.map_err(unknown)?;
    compare(&snapshot, &replayed, at.position, report).await
}

/// Rows of another epoch of the log have no replay to be compared with.
fn same_epoch(checkpoint: Checkpoint, epoch: Uuid) -> Result<(), Unfinished> {
    if checkpoint.epoch == epoch {
        return Ok(());
    }
    let reason = "the rows are not of this epoch of the log: there is no replay to compare them with";
    Err(Unfinished::Inconclusive(reason.into()))
}

async fn advance<P: Projection>(replay: &mut Replay<P>, to: Position) -> Result<(), Unfinished> {
    if to < replay.reached() {
        let reason = "the rows went back meanwhile: another verification will do";
        return Err(Unfinished::Inconclusive(reason.into()));
    }
    let mut progress = Progress::new("replaying the log", to.since(replay.reached()));
    replay
        .advance(to, |done| progress.at(done))
        .await
        .map_err(replay_failed)
}

/// A replay that stopped because of what the log holds, or because a database did not answer.
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
    position: Position,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let of_live = digest(live).await.map_err(unknown)?;
    let of_replay = digest(replayed).await.map_err(unknown)?;
    let differing: Vec<&String> = of_replay
        .iter()
        .filter(|(table, digest)| of_live.get(*table) != Some(*digest))
        .map(|(table, _)| table)
        .collect();
    for table in &differing {
        let due = row_hashes(replayed, table).await.map_err(unknown)?;
        let are = row_hashes(live, table).await.map_err(unknown)?;
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

fn say(live: &BTreeMap<String, Digest>, position: Position, differ: usize, report: &mut Report) {
    let rows: BTreeMap<&String, i64> = live.iter().map(|(table, digest)| (table, digest.rows)).collect();
    let total: i64 = rows.values().sum();
    report.fact(
        "rows_proof",
        json!({"position": position, "rows": rows, "tables_that_differ": differ}),
        format!("{total} rows compared with a replay up to {position}, {differ} tables differ"),
    );
}
