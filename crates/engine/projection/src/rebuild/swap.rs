//! Replaces the live tables by other ones, in one transaction. A reader or a projector sees either all old rows or all new
//! ones.
//!
//! The tables change their schema, so their indexes, constraints and comments go with them, and every statement that
//! names them finds the new ones when it next runs. **The checkpoint is locked first**, by a lock that readers don't
//! notice. Readers wait only when the rows are at the same position, and for milliseconds. If a reader holds a table for
//! longer, everything is undone and tried again later, so that no queue forms behind this transaction.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool_postgres::{Client, Transaction};
use tokio_util::sync::CancellationToken;

use super::error::Failed;
use crate::checkpoint::{self, Checkpoint};
use crate::projection::Projection;
use crate::schema::{Schemas, quoted};
use crate::shadow_schema;

/// How long a transaction that applies events, a migration or a vacuum may delay the swap; readers don't notice. Longer than
/// PostgreSQL takes to cancel an automatic vacuum that is in the way.
const FENCE_TIMEOUT: &str = "set local lock_timeout = '5s'";
/// How long a reader may delay the swap, and so other readers. Shorter than PostgreSQL takes to look for deadlocks, so that
/// in a deadlock with another session it is the swap that gives up.
const READERS_TIMEOUT: &str = "set local lock_timeout = '200ms'";
const ATTEMPTS: usize = 40;

/// Tables that are ready to become the live ones.
pub(super) struct Arriving {
    schema: String,
    tables: Vec<String>,
    live: Vec<String>,
}

/// Does everything that readers and projectors do not notice: keeps migrations and vacuums out until the transaction ends,
/// gives the tables of `schema` the rights of the live ones, and drops what was kept before.
pub(super) async fn prepare(
    transaction: &Transaction<'_>,
    projection: &impl Projection,
    schemas: &Schemas,
    schema: &str,
) -> Result<Arriving, Failed> {
    transaction.batch_execute(FENCE_TIMEOUT).await?;
    projection.migrations().hold(&**transaction).await?;
    let arriving = Arriving {
        schema: schema.to_owned(),
        live: tables(transaction, projection, &schemas.live).await?,
        tables: tables(transaction, projection, schema).await?,
    };
    let all = arriving.all();
    // An automatic vacuum gives up a table for this lock; reading and writing continue.
    let quiet = format!("lock table {all} in share update exclusive mode");
    transaction.batch_execute(&quiet).await?;
    let grants = include_str!("../sql/list_grants.sql");
    for grant in transaction.query(grants, &[&schemas.live, &schema]).await? {
        transaction.batch_execute(grant.try_get(0)?).await?;
    }
    if schema != schemas.kept {
        let forget = format!("drop schema if exists {} cascade", quoted(&schemas.kept));
        transaction.batch_execute(&forget).await?;
    }
    Ok(arriving)
}

/// Keeps every process that moves the checkpoint out until the transaction ends. Gives the live checkpoint, which does not
/// move meanwhile.
pub(super) async fn fence(
    transaction: &Transaction<'_>,
    projection: &impl Projection,
) -> Result<Checkpoint, Failed> {
    let live = quoted(projection.schema());
    // Stronger than a lock of the row: a process that waits for the row has locked the table before.
    let lock = format!("{FENCE_TIMEOUT}; lock table {live}.checkpoints in exclusive mode");
    transaction.batch_execute(&lock).await?;
    Ok(checkpoint::read(transaction, projection).await?)
}

/// Replaces the live tables, which are kept, and notifies readers. The transaction must have the [`fence`].
pub(super) async fn exchange(
    transaction: &Transaction<'_>,
    projection: &impl Projection,
    schemas: &Schemas,
    arriving: &Arriving,
) -> Result<(), Failed> {
    let (outgoing, kept) = (quoted(&schemas.outgoing), quoted(&schemas.kept));
    let mut steps = vec![format!("create schema {outgoing}")];
    for (schema, tables, to) in [
        (&schemas.live, &arriving.live, &schemas.outgoing),
        (&arriving.schema, &arriving.tables, &schemas.live),
    ] {
        steps.extend(moves("table", tables, to));
        // They do not move with their tables.
        steps.extend(moves("statistics", &statistics(transaction, schema).await?, to));
    }
    // Refused if an object that is no table is left there.
    steps.push(format!("drop schema {} restrict", quoted(&arriving.schema)));
    steps.push(format!("alter schema {outgoing} rename to {kept}"));
    // From here on readers wait.
    let all = arriving.all();
    let locked = format!("{READERS_TIMEOUT}; lock table {all} in access exclusive mode");
    transaction.batch_execute(&locked).await?;
    transaction.batch_execute(&steps.join(";")).await?;
    checkpoint::notify_replaced(transaction, projection).await?;
    Ok(())
}

impl Arriving {
    /// All tables, the live ones first, and of these the checkpoints: the order of every session that locks several.
    fn all(&self) -> String {
        format!("{}, {}", self.live.join(", "), self.tables.join(", "))
    }
}

fn moves(kind: &str, objects: &[String], to: &str) -> impl Iterator<Item = String> {
    let to = quoted(to);
    objects
        .iter()
        .map(move |object| format!("alter {kind} {object} set schema {to}"))
}

async fn statistics(transaction: &Transaction<'_>, schema: &str) -> Result<Vec<String>, Failed> {
    let rows = transaction
        .query(include_str!("../sql/list_statistics.sql"), &[&schema])
        .await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn tables(
    transaction: &Transaction<'_>,
    projection: &impl Projection,
    schema: &str,
) -> Result<Vec<String>, Failed> {
    let tables = shadow_schema::tables(transaction, schema).await?;
    if tables.is_empty() {
        let command = projection.migrations().command();
        let reason = format!("there are no tables in schema {schema}: run `{command}`");
        return Err(Failed::Refused(reason));
    }
    Ok(tables)
}

/// Tries until an attempt succeeds, or until other sessions held the tables for too long. `attempt` runs in a transaction,
/// which is committed if it succeeds and rolled back otherwise.
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
        // Between attempts, which are short, so that the outcome of each is known.
        if end.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Err(Failed::Interrupted);
        }
    }
}
