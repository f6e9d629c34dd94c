//! What of rebuilds is seen from outside: whether one runs, and which rows are kept.

use deadpool_postgres::{Client, Pool};
use envelope::Position;
use serde_json::json;
use service::postgres::describe;
use tokio_postgres::error::SqlState;

use super::error::Failed;
use crate::checkpoint::Checkpoint;
use crate::projection::Projection;
use crate::report::Report;
use crate::schema::{Schemas, lock_key, quoted};

/// Base key of the advisory lock under which one rebuild of a projection runs at a time; the ASCII codes of `rebuild`.
const LOCK: i64 = 0x0072_6562_7569_6c64;

/// The key of the advisory lock under which a rebuild of this projection runs.
pub(super) fn lock(projection: &impl Projection) -> i64 {
    lock_key(LOCK, projection)
}

/// The rebuilds of one projection.
pub(crate) struct State {
    /// One is under way.
    pub(crate) running: bool,
    /// One was killed and left its tables.
    interrupted: bool,
    /// Position of the rows that were live before the last swap.
    pub(crate) kept: Option<Position>,
}

impl State {
    pub(crate) async fn look(projection: &impl Projection, pool: &Pool) -> Result<Self, String> {
        Self::read(projection, pool)
            .await
            .map_err(|error| describe(&error))
    }

    async fn read(projection: &impl Projection, pool: &Pool) -> Result<Self, Failed> {
        let client = pool.get().await?;
        let building = Schemas::of(projection).building;
        let row = client
            .query_one(
                include_str!("../sql/look_at_rebuild.sql"),
                &[&lock(projection), &building],
            )
            .await?;
        let (running, building): (bool, bool) = (row.try_get("running")?, row.try_get("building")?);
        Ok(Self {
            running,
            interrupted: building && !running,
            kept: kept(&client, projection).await?.map(|kept| kept.position),
        })
    }

    /// Reports it as a fact.
    pub(crate) fn tell(&self, report: &mut Report) {
        let Self {
            running,
            interrupted,
            kept,
        } = *self;
        let state = match (running, interrupted) {
            (true, _) => "under way",
            (false, true) => "one was interrupted, the next begins afresh",
            (false, false) => "none under way",
        };
        let rows = kept.map_or(String::new(), |position| {
            format!("; the rows before the last are kept, at position {position}")
        });
        report.fact(
            "rebuild",
            json!({"running": running, "interrupted": interrupted, "kept_position": kept}),
            format!("{state}{rows}"),
        );
    }
}

/// The checkpoint of the kept rows; none if no rows are kept.
pub(super) async fn kept(
    client: &Client,
    projection: &impl Projection,
) -> Result<Option<Checkpoint>, Failed> {
    let checkpoints = format!("{}.checkpoints", quoted(&Schemas::of(projection).kept));
    let there = client
        .query_one("select to_regclass($1) is not null", &[&checkpoints])
        .await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let statement = format!("select position, epoch from {checkpoints} where projection = $1");
    let row = match client.query_opt(&statement, &[&projection.name()]).await {
        // Discarded just now.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        row => row?,
    };
    // Tables without a checkpoint were swapped out before the first start.
    row.map_or(Ok(Some(Checkpoint::NONE)), |row| {
        Ok(Some(Checkpoint {
            position: Position::from_sql(row.try_get(0)?),
            epoch: row.try_get(1)?,
        }))
    })
}
