//! The checkpoint of a projection: who may move it, and what is known of the rows at it.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::GenericClient;
use envelope::{Fingerprint, Mark, Position};
use tokio_postgres::Error;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::projection::Projection;

/// A place in the log: the rows hold everything up to `position`, and nothing after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Last applied position; [`Position::START`] before the first.
    pub position: Position,
    /// Epoch of the log; nil before the first start.
    pub epoch: Uuid,
}

/// A checkpoint, and what else is known of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointState {
    /// How far the rows have come.
    pub checkpoint: Checkpoint,
    /// Which event is at the position; none at [`Position::START`], and in a checkpoint of a build that kept none.
    pub fingerprint: Option<Fingerprint>,
    /// Whether the rows are known to be of another log than there is now.
    pub stale: bool,
}

impl Checkpoint {
    /// Before the first start.
    pub const NONE: Self = Self {
        position: Position::START,
        epoch: Uuid::nil(),
    };
}

impl CheckpointState {
    /// The position and its event.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            position: self.checkpoint.position,
            fingerprint: self.fingerprint,
        }
    }
}

/// Reads the checkpoint; [`Checkpoint::NONE`] before the first start.
pub async fn read(client: &impl GenericClient, projection: &impl Projection) -> Result<Checkpoint, Error> {
    Ok(read_state(client, projection).await?.checkpoint)
}

/// Reads the checkpoint and what else is known of the rows.
pub async fn read_state(
    client: &impl GenericClient,
    projection: &impl Projection,
) -> Result<CheckpointState, Error> {
    let statement = include_str!("sql/read_checkpoint.sql");
    let Some(row) = client.query_opt(statement, &[&projection.name()]).await? else {
        return Ok(CheckpointState {
            checkpoint: Checkpoint::NONE,
            fingerprint: None,
            stale: false,
        });
    };
    let fingerprint: Option<Vec<u8>> = row.try_get("fingerprint")?;
    Ok(CheckpointState {
        checkpoint: Checkpoint {
            position: Position::from_sql(row.try_get("position")?),
            epoch: row.try_get("epoch")?,
        },
        fingerprint: fingerprint.as_deref().and_then(Fingerprint::from_bytes),
        stale: row.try_get("stale")?,
    })
}

/// Writes a first checkpoint in this epoch of the log, unless there is a checkpoint.
pub async fn start(
    client: &impl GenericClient,
    projection: &impl Projection,
    epoch: Uuid,
) -> Result<(), Error> {
    let statement = client
        .prepare_cached(include_str!("sql/start_checkpoint.sql"))
        .await?;
    client
        .execute(&statement, &[&projection.name(), &epoch])
        .await
        .map(|_| ())
}

const MOVE: &str = include_str!("sql/move_checkpoint.sql");
const NOTIFY: &str = include_str!("sql/notify_projected.sql");
const ANNOUNCE: &str = include_str!("sql/announce_changes.sql");

/// Prepares the statements of [`move_to`] and [`announce`], so that the next ones on this connection are sent at their first
/// poll. Futures that are polled after them are then sent after them.
pub(crate) async fn prepare_to_move(client: &impl GenericClient) -> Result<(), Error> {
    for statement in [MOVE, NOTIFY, ANNOUNCE] {
        client.prepare_cached(statement).await?;
    }
    Ok(())
}

/// Moves the checkpoint on to an event. False if it is not at `from`, because another process moved it or the log began a
/// new epoch, or if the tables are of another schema than this build knows.
pub(crate) async fn move_to(
    client: &impl GenericClient,
    projection: &impl Projection,
    from: Checkpoint,
    to: Mark,
) -> Result<bool, Error> {
    let statement = client.prepare_cached(MOVE).await?;
    let moved = client
        .execute(
            &statement,
            &[
                &projection.name(),
                &from.position.to_sql(),
                &to.position.to_sql(),
                &from.epoch,
                &projection.migrations().newest(),
                &to.fingerprint.as_ref().map(Fingerprint::bytes),
            ],
        )
        .await?;
    Ok(moved == 1)
}

/// Locks the checkpoint until the transaction ends, so that no other process applies events meanwhile. False if there is no
/// checkpoint.
pub(crate) async fn lock(client: &impl GenericClient, projection: &impl Projection) -> Result<bool, Error> {
    let statement = include_str!("sql/lock_checkpoint.sql");
    let locked = client.query_opt(statement, &[&projection.name()]).await?;
    Ok(locked.is_some())
}

/// Puts a checkpoint at position 0 into another epoch of the log. False, with nothing changed, if there are rows, or if the
/// checkpoint is not in `old` any more.
pub(crate) async fn adopt_epoch(
    client: &impl GenericClient,
    projection: &impl Projection,
    old: Uuid,
    new: Uuid,
) -> Result<bool, Error> {
    let statement = include_str!("sql/adopt_epoch.sql");
    let moved = client
        .execute(statement, &[&projection.name(), &old, &new])
        .await?;
    Ok(moved == 1)
}

/// Stores which event a checkpoint is at, if it has no fingerprint.
pub(crate) async fn note_fingerprint(
    client: &impl GenericClient,
    projection: &impl Projection,
    at: Checkpoint,
    fingerprint: &Fingerprint,
) -> Result<(), Error> {
    let statement = include_str!("sql/note_fingerprint.sql");
    client
        .execute(
            statement,
            &[
                &projection.name(),
                &at.position.to_sql(),
                &at.epoch,
                &fingerprint.bytes(),
            ],
        )
        .await
        .map(|_| ())
}

/// Stores whether the rows at this checkpoint are of another log than there is now, so that readers can say it.
pub(crate) async fn mark_stale(
    client: &impl GenericClient,
    projection: &impl Projection,
    at: Checkpoint,
    stale: bool,
) -> Result<(), Error> {
    let statement = include_str!("sql/mark_stale.sql");
    client
        .execute(
            statement,
            &[
                &projection.name(),
                &at.position.to_sql(),
                &at.epoch,
                &stale,
                &projection.channel(),
            ],
        )
        .await
        .map(|_| ())
}

/// Gives the collections whose rows this transaction changes new versions, and notifies readers of them and of the position
/// when it commits. One statement, so that it may stand before a copy of rows.
pub(crate) async fn announce(
    client: &impl GenericClient,
    projection: &impl Projection,
    position: Position,
    changed: &BTreeSet<&'static str>,
) -> Result<(), Error> {
    let (channel, position) = (projection.channel(), position.to_string());
    if changed.is_empty() {
        let statement = client.prepare_cached(NOTIFY).await?;
        return client
            .execute(&statement, &[&channel, &position])
            .await
            .map(|_| ());
    }
    let statement = client.prepare_cached(ANNOUNCE).await?;
    let versions: BTreeMap<&str, Uuid> = changed.iter().map(|name| (*name, Uuid::new_v4())).collect();
    client
        .execute(
            &statement,
            &[&projection.name(), &channel, &position, &Json(versions)],
        )
        .await
        .map(|_| ())
}

/// Notifies readers, when the transaction commits, that the rows are other ones at another position.
pub(crate) async fn notify_replaced(
    client: &impl GenericClient,
    projection: &impl Projection,
) -> Result<(), Error> {
    let statement = include_str!("sql/notify_replaced.sql");
    client
        .execute(statement, &[&projection.channel()])
        .await
        .map(|_| ())
}
