//! Putting other tables in the place of the live ones, in one transaction that nobody who reads or projects can tell
//! from the moment before, but by what is in the rows.
//!
//! The tables change their schema, so their indexes, constraints and comments go with them, and every statement that
//! names them finds the new ones when it next runs. **Whoever moves the checkpoint is kept out first**, by a lock that
//! readers don't feel; only when the rows are at the very same position do the readers wait, for milliseconds. If they
//! don't let go of the tables soon, everything is undone and tried again later, so that no queue forms behind us.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool_postgres::{Client, Transaction};
use read_model::{Checkpoint, checkpoint};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::{Failed, KEPT};
use crate::shadow_schema;

/// Where the live tables are.
pub(super) const LIVE: &str = "public";
/// Where the live tables are for a moment on their way out.
const OUTGOING: &str = "licensing_outgoing";
/// How long the transaction under way, a migration or a vacuum may keep us waiting; readers don't notice. Longer than
/// PostgreSQL takes to cancel an automatic vacuum that is in the way.
const FENCE_TIMEOUT: &str = "set local lock_timeout = '5s'";
/// How long a reader may keep us, and so others, waiting. Shorter than PostgreSQL takes to look for deadlocks, so that
/// whoever would be in one with us never pays for it.
const READERS_TIMEOUT: &str = "set local lock_timeout = '200ms'";
const ATTEMPTS: usize = 40;

/// Tables that are ready to go.
pub(super) struct Arriving {
    schema: &'static str,
    tables: Vec<String>,
    live: Vec<String>,
}

/// Does everything that nobody else notices, so that little is left for when they do: keeps migrations and vacuums out
/// until the transaction ends, gives the tables of `schema` the rights of the live ones, and forgets what was kept
/// before.
pub(super) async fn prepare(transaction: &Transaction<'_>, schema: &'static str) -> Result<Arriving, Failed> {
    transaction.batch_execute(FENCE_TIMEOUT).await?;
    read_model::hold_migrations(&**transaction).await?;
    let (live, tables) = (
        tables(transaction, LIVE).await?,
        tables(transaction, schema).await?,
    );
    let arriving = Arriving { schema, tables, live };
    let all = arriving.all();
    // An automatic vacuum lets go of a table for this lock; reading and writing go on.
    let quiet = format!("lock table {all} in share update exclusive mode");
    transaction.batch_execute(&quiet).await?;
    let grants = include_str!("../sql/rebuild/list_grants.sql");
    for grant in transaction.query(grants, &[&LIVE, &schema]).await? {
        transaction.batch_execute(grant.try_get(0)?).await?;
    }
    if schema != KEPT {
        let forget = format!("drop schema if exists {KEPT} cascade");
        transaction.batch_execute(&forget).await?;
    }
    Ok(arriving)
}

/// Keeps out whoever would move the checkpoint, until the transaction ends. Gives the live checkpoint, which then
/// stands still.
pub(super) async fn fence(transaction: &Transaction<'_>) -> Result<Checkpoint, Failed> {
    // Stronger than a lock of the row, which whoever waits for it would have locked the table for already.
    let lock = format!("{FENCE_TIMEOUT}; lock table {LIVE}.checkpoints in exclusive mode");
    transaction.batch_execute(&lock).await?;
    Ok(checkpoint::read(&**transaction).await?)
}

/// Puts the tables in the place of the live ones, which are kept. The transaction must have the [`fence`].
pub(super) async fn exchange(transaction: &Transaction<'_>, arriving: &Arriving) -> Result<(), Failed> {
    let mut steps = vec![format!("create schema {OUTGOING}")];
    steps.extend(moves(&arriving.live, OUTGOING));
    steps.extend(moves(&arriving.tables, LIVE));
    // Refused if something is left there: a kind of object that this does not move.
    steps.push(format!("drop schema {} restrict", arriving.schema));
    steps.push(format!("alter schema {OUTGOING} rename to {KEPT}"));
    // From here on readers wait.
    let all = arriving.all();
    let locked = format!("{READERS_TIMEOUT}; lock table {all} in access exclusive mode");
    transaction.batch_execute(&locked).await?;
    transaction.batch_execute(&steps.join(";")).await?;
    Ok(())
}

impl Arriving {
    /// All tables, the live ones first, and of these the checkpoints, as everybody does who reads several.
    fn all(&self) -> String {
        format!("{}, {}", self.live.join(", "), self.tables.join(", "))
    }
}

fn moves(tables: &[String], to: &'static str) -> impl Iterator<Item = String> {
    tables
        .iter()
        .map(move |table| format!("alter table {table} set schema {to}"))
}

async fn tables(transaction: &Transaction<'_>, schema: &'static str) -> Result<Vec<String>, Failed> {
    let tables = shadow_schema::tables(transaction, schema).await?;
    if tables.is_empty() {
        let reason = format!("there are no tables in schema {schema}: run `projector migrate`");
        return Err(Failed::Refused(reason));
    }
    Ok(tables)
}

/// Tries until it is done, or until the tables were held by others for too long. `attempt` runs in a transaction,
/// which is committed if it succeeds and otherwise leaves no trace.
pub(super) async fn until_free<T>(
    keeper: &mut Client,
    end: &CancellationToken,
    mut attempt: impl AsyncFnMut(&Transaction<'_>) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(ATTEMPTS)
        .with_jitter()
        .build();
    loop {
        let transaction = keeper.transaction().await?;
        let failed = match attempt(&transaction).await {
            Ok(done) => {
                transaction.commit().await?;
                return Ok(done);
            }
            Err(failed) => failed,
        };
        transaction.rollback().await?;
        if !failed.is_busy() {
            return Err(failed);
        }
        let Some(pause) = pauses.next() else {
            let reason = "others held the tables all the time: long readers, or a migration";
            return Err(Failed::Refused(reason.into()));
        };
        tracing::debug!(?pause, "the tables are in use, trying again");
        // Not in the middle of an attempt: it is short, and then it is known how it ended.
        if end.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Err(Failed::Interrupted);
        }
    }
}

/// Whether somebody else's lock was in the way.
pub(super) fn is_lock(error: &tokio_postgres::Error) -> bool {
    let code = error.code();
    code == Some(&SqlState::LOCK_NOT_AVAILABLE) || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}
