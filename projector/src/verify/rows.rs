//! The rows are what a replay of the log gives: the whole log is applied again, to tables beside the live ones, and
//! both are compared at one and the same checkpoint.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, Pool, Transaction};
use envelope::Position;
use event_store::{Error as LogError, Log};
use read_model::{Checkpoint, Digest, checkpoint, digest, row_hashes};
use serde_json::json;
use tokio_postgres::{Config, IsolationLevel};
use uuid::Uuid;

use super::{EXAMPLES, Progress, Unfinished, unknown};
use crate::reach::Reach;
use crate::replay::{Replay, ReplayError};
use crate::report::Report;

/// Where the log is replayed to, in the read database. Nobody but its owner can read there.
const SCRATCH: &str = "verify_scratch";
/// Key of the advisory lock that lets one verification run at a time; the ASCII codes of `verify`.
const LOCK: i64 = 0x7665_7269_6679;

pub(super) async fn prove(
    reach: &Reach,
    read_url: &str,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    // The lock is the session's, so it goes with this client, however we leave.
    let keeper = reach.read.get().await.map_err(unknown)?;
    let free = keeper
        .query_one("select pg_try_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(unknown)?;
    if !free.get::<_, bool>(0) {
        let reason = "another verification of these rows is under way";
        return Err(Unfinished::Unknown(reason.into()));
    }
    // Also what one that was killed left behind.
    drop_scratch(&keeper).await?;
    keeper
        .batch_execute(&format!("create schema {SCRATCH}"))
        .await
        .map_err(unknown)?;
    // From here on there is something to tidy up.
    let compared = tokio::select! {
        compared = replay_and_compare(reach, read_url, epoch, report) => compared,
        _ = tokio::signal::ctrl_c() => Err(Unfinished::Unknown("interrupted before the rows were compared".into())),
    };
    drop_scratch(&keeper).await?;
    compared
}

async fn drop_scratch(keeper: &Client) -> Result<(), Unfinished> {
    let drop = format!("drop schema if exists {SCRATCH} cascade");
    keeper.batch_execute(&drop).await.map_err(unknown)
}

async fn replay_and_compare(
    reach: &Reach,
    read_url: &str,
    epoch: Uuid,
    report: &mut Report,
) -> Result<(), Unfinished> {
    // The extension's operators, which the indexes are made with, are in `public`.
    let migrating = with_search_path(read_url, &format!("{SCRATCH},public"))?;
    read_model::migrate(&migrating).await.map_err(unknown)?;
    // And from here on `public` is out of reach: whatever goes wrong, the live rows are not written to.
    let scratch = scratch_pool(&with_search_path(read_url, SCRATCH)?)?;
    let mut replay = Replay::begin(&scratch, epoch).await.map_err(replay_failed)?;

    // The long way without a snapshot, so that the live tables can be tidied meanwhile; then the rest with one.
    let client = reach.read.get().await.map_err(unknown)?;
    let near = checkpoint::read(&**client).await.map_err(unknown)?;
    drop(client);
    same_epoch(near, epoch)?;
    advance(&mut replay, &reach.log, near.position).await?;
    let mut client = reach.read.get().await.map_err(unknown)?;
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(unknown)?;
    snapshot
        .batch_execute("set local idle_in_transaction_session_timeout = 0")
        .await
        .map_err(unknown)?;
    let at = checkpoint::read(&*snapshot).await.map_err(unknown)?;
    same_epoch(at, epoch)?;
    advance(&mut replay, &reach.log, at.position).await?;

    let replayed = scratch.get().await.map_err(unknown)?;
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

async fn advance(replay: &mut Replay<'_>, log: &Log, to: u64) -> Result<(), Unfinished> {
    let mut progress = Progress::new("replaying the log", to);
    replay
        .advance(log, Position::new(to), |reached| progress.at(reached.get()))
        .await
        .map_err(replay_failed)
}

/// A replay that stopped because of what the log holds, or because something did not answer.
fn replay_failed(error: ReplayError) -> Unfinished {
    match &error {
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

fn scratch_pool(url: &str) -> Result<Pool, Unfinished> {
    let options = service::postgres::PoolOptions {
        db_pool_size: 1,
        db_statement_timeout_s: 0,
    };
    service::postgres::pool(url, &options, "projector verify")
        .map_err(|error| Unfinished::Unknown(format!("{error:#}")))
}

/// The same database with another search path, whichever of the two forms the URL has.
fn with_search_path(url: &str, path: &str) -> Result<String, Unfinished> {
    let config: Config = url.parse().map_err(unknown)?;
    let options = format!(
        "{} -c search_path={path}",
        config.get_options().unwrap_or_default()
    );
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let quoted = options.replace('\\', r"\\").replace('\'', r"\'");
        return Ok(format!("{url} options='{quoted}'"));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let escaped: String = options
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    Ok(format!("{url}{separator}options={escaped}"))
}

#[cfg(test)]
mod tests {
    use super::with_search_path;
    use tokio_postgres::Config;

    #[test]
    fn the_search_path_is_added_to_either_form_of_url_and_to_the_options_that_are_there() {
        for (url, options) in [
            ("postgres://a:b@c:1/d", " -c search_path=x,public"),
            (
                "postgres://a:b@c:1/d?connect_timeout=3",
                " -c search_path=x,public",
            ),
            (
                "postgresql://c/d?options=-c%20jit%3Doff",
                "-c jit=off -c search_path=x,public",
            ),
            (
                "host=c dbname=d options='-c jit=off'",
                "-c jit=off -c search_path=x,public",
            ),
        ] {
            let Ok(changed) = with_search_path(url, "x,public") else {
                panic!("{url} is refused")
            };
            let config: Config = changed
                .parse()
                .unwrap_or_else(|error| panic!("{changed}: {error}"));
            assert_eq!(config.get_options(), Some(options), "{changed}");
            assert_eq!(config.get_dbname(), Some("d"));
        }
    }
}
