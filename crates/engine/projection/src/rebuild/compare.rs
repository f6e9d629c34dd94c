//! Whether the rebuilt rows are the live ones, at one position.

use deadpool_postgres::{Client, Pool, Transaction};
use futures_util::try_join;
use serde_json::{Value, json};
use tokio_postgres::{IsolationLevel, Row};

use super::error::Failed;
use super::swap;
use crate::checkpoint::{self, CheckpointState};
use crate::projection::Projection;
use crate::replay::Replay;
use crate::schema::{Schemas, quoted};

/// Columns of `parked_events` that depend on the clock or the build.
const CLOCKS: &[&str] = &["parked_at", "builds"];

/// What was found in one table.
pub(super) struct Table {
    name: String,
    /// How many rows were rebuilt.
    pub(super) rows: i64,
    difference: Option<Difference>,
}

struct Difference {
    /// Which columns differ.
    shape: String,
    missing_in_live: i64,
    missing_in_rebuilt: i64,
    other: i64,
    example: Option<String>,
}

impl Table {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What differs, for people.
    pub(super) fn differs(&self) -> Option<String> {
        let difference = self.difference.as_ref()?;
        let Difference {
            shape,
            missing_in_live,
            missing_in_rebuilt,
            other,
            example,
        } = difference;
        let (name, example) = (
            &self.name,
            example
                .as_ref()
                .map_or(String::new(), |key| format!(", for example {key}")),
        );
        let rows = format!(
            "{other} rows differ, {missing_in_live} are only rebuilt, {missing_in_rebuilt} are only live{example}"
        );
        Some(format!("table {name}: {shape}{rows}"))
    }

    /// The same for machines.
    pub(super) fn json(&self) -> Value {
        let Some(difference) = &self.difference else {
            return json!({"rows": self.rows, "same": true});
        };
        json!({
            "rows": self.rows,
            "same": false,
            "rows_that_differ": difference.other,
            "rows_only_rebuilt": difference.missing_in_live,
            "rows_only_live": difference.missing_in_rebuilt,
            "shape": difference.shape,
        })
    }
}

/// Refuses rows that are at the position of the live ones and at another event: the log lost events and holds others now.
pub(super) fn same_event<P: Projection>(live: &CheckpointState, replay: &Replay<P>) -> Result<(), Failed> {
    if !replay.contradicts(live) {
        return Ok(());
    }
    let position = live.checkpoint.position;
    Err(Failed::Refused(format!(
        "the live rows are at another event of position {position} than the rebuilt ones: the log was restored without a new epoch"
    )))
}

/// Compares all tables as they are at one position, while the live ones continue. First applies events up to the position
/// of the live rows.
pub(super) async fn compare<P: Projection>(
    projection: &P,
    schemas: &Schemas,
    keeper: &mut Client,
    live: &Pool,
    replay: &mut Replay<P>,
) -> Result<Vec<Table>, Failed> {
    let (mut one, mut other) = (live.get().await?, live.get().await?);
    let (one, other) = {
        // While the checkpoint is locked, both snapshots show the same rows, live and rebuilt.
        let fenced = keeper.transaction().await?;
        let at = swap::fence(&fenced, projection).await?;
        replay.advance(at.position, |_| {}).await?;
        same_event(&checkpoint::read_state(&fenced, projection).await?, replay)?;
        let snapshots = (snapshot(&mut one).await?, snapshot(&mut other).await?);
        fenced.rollback().await?;
        snapshots
    };
    let tables = one
        .query(
            include_str!("../sql/list_comparisons.sql"),
            &[&schemas.live, &schemas.building, &CLOCKS],
        )
        .await?;
    let mut compared = Vec::new();
    for table in &tables {
        compared.push(compare_table(schemas, &one, &other, table).await?);
    }
    Ok(compared)
}

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, Failed> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    transaction
        .batch_execute("set local idle_in_transaction_session_timeout = 0; select")
        .await?;
    Ok(transaction)
}

async fn compare_table(
    schemas: &Schemas,
    one: &Transaction<'_>,
    other: &Transaction<'_>,
    table: &Row,
) -> Result<Table, Failed> {
    let name: String = table.try_get("name")?;
    let (in_live, in_rebuilt): (bool, bool) = (table.try_get("in_live")?, table.try_get("in_rebuilt")?);
    if !in_live || !in_rebuilt {
        return only_one_has(schemas, other, name, in_rebuilt).await;
    }
    let (digest_live, digest_rebuilt) = (
        table.try_get::<_, &str>("digest_live")?,
        table.try_get::<_, &str>("digest_rebuilt")?,
    );
    // Each on its own connection, at the same time.
    let (live, rebuilt) = try_join!(digest(one, digest_live), digest(other, digest_rebuilt))?;
    let (only_live, only_rebuilt): (Vec<String>, Vec<String>) =
        (table.try_get("only_live")?, table.try_get("only_rebuilt")?);
    let same_shape = only_live.is_empty() && only_rebuilt.is_empty();
    let difference = if live == rebuilt && same_shape {
        None
    } else {
        let row = one
            .query_one(table.try_get::<_, &str>("difference")?, &[])
            .await?;
        let shape = if same_shape {
            String::new()
        } else {
            let (only_live, only_rebuilt) = (only_live.join(" "), only_rebuilt.join(" "));
            format!("columns only live: [{only_live}], only rebuilt: [{only_rebuilt}]; in the others ")
        };
        Some(Difference {
            shape,
            missing_in_live: row.try_get(0)?,
            missing_in_rebuilt: row.try_get(1)?,
            other: row.try_get(2)?,
            example: row.try_get(3)?,
        })
    };
    Ok(Table {
        name,
        rows: rebuilt.0,
        difference,
    })
}

/// A table that this build adds or removes.
async fn only_one_has(
    schemas: &Schemas,
    client: &Transaction<'_>,
    name: String,
    in_rebuilt: bool,
) -> Result<Table, Failed> {
    let (schema, which) = if in_rebuilt {
        (&schemas.building, "rebuilt")
    } else {
        (&schemas.live, "live")
    };
    let count = format!("select count(*) from {}.{}", quoted(schema), quoted(&name));
    let count: i64 = client.query_one(&count, &[]).await?.try_get(0)?;
    let (rebuilt, live) = if in_rebuilt { (count, 0) } else { (0, count) };
    Ok(Table {
        name,
        rows: rebuilt,
        difference: Some(Difference {
            shape: format!("only {which}; "),
            missing_in_live: rebuilt,
            missing_in_rebuilt: live,
            other: 0,
            example: None,
        }),
    })
}

async fn digest(client: &Transaction<'_>, statement: &str) -> Result<(i64, String), Failed> {
    let row = client.query_one(statement, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
