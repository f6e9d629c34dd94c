//! What a gate without a network must refuse: the licenses that are revoked or suspended, all or as a difference.

use chrono::NaiveDate;
use query::Checkpoint;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::Error;
use crate::checkpoint::PROJECTION;

const LIST_REVOCATIONS: &str = include_str!("sql/list_revocations.sql");

/// More revocations than any weekend has. A list that is cut would let in what it leaves out, so there is none then.
pub const MOST_REVOCATIONS: usize = 100_000;

/// The licenses that are, or no longer are, revoked or suspended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Where in the log this is true.
    pub checkpoint: Checkpoint,
    /// Whether it is of another log than there is now.
    pub stale: bool,
    /// Licenses that must be refused.
    pub void: Vec<Uuid>,
    /// Licenses that are valid again.
    pub restored: Vec<Uuid>,
}

/// Of licenses that are valid on `from` or later: all that are void, or what changed since a position. More than
/// [`MOST_REVOCATIONS`] rows mean that some are missing.
pub async fn read(
    client: &impl GenericClient,
    since: Option<u64>,
    from: NaiveDate,
) -> Result<Revocations, Error> {
    let since = since.map(|since| i64::try_from(since).unwrap_or(i64::MAX));
    let limit = i64::try_from(MOST_REVOCATIONS + 1).unwrap_or(i64::MAX);
    let rows = client
        .query(LIST_REVOCATIONS, &[&PROJECTION, &since, &from, &limit])
        .await?;
    let mut found = Revocations::default();
    for row in rows {
        found.checkpoint = Checkpoint::from_columns(row.try_get(0)?, row.try_get(1)?);
        found.stale = row.try_get(2)?;
        let Some(license_id) = row.try_get(3)? else { break };
        if row.try_get(4)? {
            found.void.push(license_id);
        } else {
            found.restored.push(license_id);
        }
    }
    Ok(found)
}
