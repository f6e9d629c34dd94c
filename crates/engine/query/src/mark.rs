//! Of which rows the statements of a transaction read: asked in the same snapshot.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::error::Error;
use crate::page::Checkpoint;
use crate::version::{DatabaseClock, Shared, Version};

/// Where in the log a snapshot is, and which versions of rows it has.
#[derive(Debug)]
pub(crate) struct Mark {
    /// Of the first collection.
    pub(crate) checkpoint: Checkpoint,
    /// Whether its rows are known to be of another log than there is now.
    pub(crate) stale: bool,
    /// The version of each collection; none if there are no rows yet, or rows of another log.
    pub(crate) versions: Option<Vec<Version>>,
    /// When the same rows give another answer.
    pub(crate) changes_at: Option<DateTime<Utc>>,
    /// The time that the statements of the transaction take for now.
    pub(crate) clock: DatabaseClock,
}

/// Columns of a collection: position, epoch, tables, version, staleness.
const OF_EACH: usize = 5;

/// Reads the mark of a snapshot that began after `begun`.
pub(crate) async fn read(snapshot: &Client, shared: &Shared, begun: Instant) -> Result<Mark, Error> {
    let row = snapshot.query_typed_one(&statement(shared), &[]).await?;
    let mut mark = Mark {
        checkpoint: Checkpoint::default(),
        stale: false,
        versions: Some(Vec::with_capacity(shared.of.len())),
        changes_at: row.try_get(1)?,
        clock: DatabaseClock::read(row.try_get(0)?, begun),
    };
    for index in 0..shared.of.len() {
        let column = 2 + index * OF_EACH;
        let checkpoint = Checkpoint::from_columns(row.try_get(column)?, row.try_get(column + 1)?);
        let tables: Option<Uuid> = row.try_get(column + 2)?;
        let rows = row.try_get(column + 3)?;
        let stale = row.try_get(column + 4)?;
        if index == 0 {
            (mark.checkpoint, mark.stale) = (checkpoint, stale);
        }
        let version = tables.filter(|_| !stale).map(|tables| Version {
            epoch: checkpoint.epoch,
            tables,
            rows,
        });
        match (&mut mark.versions, version) {
            (Some(versions), Some(version)) => versions.push(version),
            _ => mark.versions = None,
        }
    }
    Ok(mark)
}

/// Text made of constants only. One row, whether or not there are checkpoints.
fn statement(shared: &Shared) -> String {
    let changes_at = shared.changes_at.unwrap_or("null::timestamptz");
    let mut sql = format!("select now(), {changes_at}");
    let mut joins = String::new();
    for (index, collection) in shared.of.iter().enumerate() {
        let name = collection.name;
        // Writing to a String can't fail.
        let _ = write!(
            sql,
            ", c{index}.position, c{index}.epoch, c{index}.tables_id, (c{index}.versions ->> '{name}')::uuid, \
             c{index}.stale_since is not null"
        );
        let (schema, projection) = (collection.schema, collection.projection);
        let _ = write!(
            joins,
            " left join {schema}.checkpoints c{index} on c{index}.projection = '{projection}'"
        );
    }
    sql.push_str(" from (select 1) as one");
    sql.push_str(&joins);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Collection;

    #[test]
    fn each_collection_is_read_from_its_own_checkpoint() {
        let collection = |schema, name| Collection {
            projection: "samples",
            schema,
            name,
        };
        let shared = Shared {
            name: "both",
            of: Box::leak(Box::new([
                collection("first", "notes"),
                collection("second", "places"),
            ])),
            changes_at: Some("(select min(day) from notes)"),
        };
        assert_eq!(
            statement(&shared),
            "select now(), (select min(day) from notes), \
             c0.position, c0.epoch, c0.tables_id, (c0.versions ->> 'notes')::uuid, c0.stale_since is not null, \
             c1.position, c1.epoch, c1.tables_id, (c1.versions ->> 'places')::uuid, c1.stale_since is not null \
             from (select 1) as one \
             left join first.checkpoints c0 on c0.projection = 'samples' \
             left join second.checkpoints c1 on c1.projection = 'samples'"
        );
    }
}
