//! How far the rows have come, and the log.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::Error;

const READ_CHECKPOINT: &str = include_str!("sql/read_checkpoint.sql");
const READ_HEAD: &str = include_str!("sql/read_head.sql");

/// The projection that all tables of this crate belong to.
pub const PROJECTION: &str = "licensing";

/// The channel on which the projector notifies, with the new position as payload, when a batch commits.
pub const CHANNEL: &str = "projected";

/// A place in the log: the rows hold everything up to `position`, and nothing after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Last applied position, 0 before the first.
    pub position: u64,
    /// Epoch of the log, nil before the first.
    pub epoch: Uuid,
}

/// A checkpoint, and what else is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointState {
    /// How far the rows have come.
    pub checkpoint: Checkpoint,
    /// Which event is at the position; none at 0, and where no build that keeps it has started yet.
    pub fingerprint: Option<Vec<u8>>,
    /// Whether the rows are known to be of another log than there is now.
    pub stale: bool,
}

impl Checkpoint {
    /// From the columns, which are null before the projector has run.
    pub(crate) fn from_columns(position: Option<i64>, epoch: Option<Uuid>) -> Self {
        // The table's check constraint holds positions at or above zero.
        Self {
            position: position.map_or(0, |position| u64::try_from(position).unwrap_or(0)),
            epoch: epoch.unwrap_or_default(),
        }
    }
}

/// Reads the checkpoint; the zero one before the projector has run.
pub async fn read(client: &impl GenericClient) -> Result<Checkpoint, Error> {
    Ok(read_state(client).await?.checkpoint)
}

/// Reads the checkpoint and what else is known of it.
pub async fn read_state(client: &impl GenericClient) -> Result<CheckpointState, Error> {
    let row = client.query_opt(READ_CHECKPOINT, &[&PROJECTION]).await?;
    let Some(row) = row else {
        return Ok(CheckpointState::default());
    };
    Ok(CheckpointState {
        checkpoint: Checkpoint::from_columns(row.try_get("position")?, row.try_get("epoch")?),
        fingerprint: row.try_get("fingerprint")?,
        stale: row.try_get("stale")?,
    })
}

/// How far the log had come when the projector last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Last position of the log.
    pub position: u64,
    /// How long ago, at most, by the clock of the database.
    pub age: Duration,
}

/// Reads how far the log has come; nothing before a projector has said so.
pub async fn read_head(client: &impl GenericClient) -> Result<Option<Head>, Error> {
    let Some(row) = client.query_opt(READ_HEAD, &[&PROJECTION]).await? else {
        return Ok(None);
    };
    let (position, age_s): (i64, f64) = (row.try_get("position")?, row.try_get("age_s")?);
    // A clock that was set back says nothing.
    let age = Duration::try_from_secs_f64(age_s).ok();
    Ok(age
        .zip(u64::try_from(position).ok())
        .map(|(age, position)| Head { position, age }))
}
