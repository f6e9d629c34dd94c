//! What changed: the rows whose position moved, and who may see them. For those who are told as it happens.
//!
//! A row has the position of its last event, so the rows behind a position are those that changed since, each once, however
//! often it changed. Rows are never deleted. Two things move rows to positions that were passed already: a rebuild in
//! another epoch of the log, and parked events that are applied later. A [`Place`] names both, so that they are noticed.

mod followed;
mod follower;

use query::{Bind, Checkpoint, Error};
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

pub use followed::{FOLLOWED, Followed};
pub use follower::{Follower, Step, statement};

use crate::Scope;
use crate::account::UserAccount;
use crate::checkpoint::PROJECTION;

/// What can be said to be told: everything up to a position, in the rows as they then were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Up to where in the log.
    pub checkpoint: Checkpoint,
    /// How many events up to there wait, parked. When there are fewer, rows changed at positions up to there.
    pub parked: u64,
}

/// A row that changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// What kind of row.
    pub of: &'static Followed,
    /// Its key.
    pub id: Uuid,
    /// The position of its last event.
    pub position: u64,
    /// Whose it is, if it is a person's.
    pub owner: Option<Uuid>,
    /// Which clubs it belongs to.
    pub clubs: Vec<Uuid>,
}

/// What a reader who comes must know first.
#[derive(Clone, Debug)]
pub struct Opening {
    /// How far the rows are.
    pub place: Place,
    /// How many of the parked events are at the reader's last position or before it.
    pub parked_before: u64,
    /// What the reader may do, if the log says something of it.
    pub account: Option<UserAccount>,
}

const OPEN: &str = include_str!("sql/open_changes.sql");

/// How far the rows are and what the reader may do, at one moment. `since` is the reader's last position.
pub async fn open(client: &impl GenericClient, user_id: Uuid, since: u64) -> Result<Opening, Error> {
    let since = integer(since);
    let binds: [(&(dyn ToSql + Sync), Type); 3] = [
        (&PROJECTION, Type::TEXT),
        (&since, Type::INT8),
        (&user_id, Type::UUID),
    ];
    let row = client.query_typed_one(OPEN, &binds).await?;
    let account = row.try_get::<_, Option<Uuid>>("user_id")?.map(|_| {
        Ok::<_, tokio_postgres::Error>(UserAccount {
            roles: row.try_get("roles")?,
            club_ids: row.try_get("club_ids")?,
            sessions_revoked_at: row.try_get("sessions_revoked_at")?,
        })
    });
    Ok(Opening {
        place: Place {
            checkpoint: Checkpoint::from_columns(row.try_get("position")?, row.try_get("epoch")?),
            parked: count(row.try_get("parked")?),
        },
        parked_before: count(row.try_get("parked_before")?),
        account: account.transpose()?,
    })
}

/// The rows behind a position that a reader may see, by their positions; nothing if they are more than `most`.
pub async fn of_reader(
    client: &impl GenericClient,
    scope: &Scope,
    since: u64,
    most: usize,
) -> Result<Option<Vec<Change>>, Error> {
    let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let mut changes = Vec::new();
    for of in &FOLLOWED {
        let Some(mut rows) = (of.rows)(scope) else {
            continue;
        };
        rows.and("position > ?", [Bind::Integer(integer(since))]);
        let (filter, binds) = rows.into_parts();
        let typed: Vec<_> = binds.iter().map(Bind::typed).collect();
        let (key, table) = (of.key, of.table);
        let sql = format!(
            "select {key}, position from {table} where {filter} order by position, {key} limit {limit}"
        );
        for row in client.query_typed(&sql, &typed).await? {
            changes.push(Change {
                of,
                id: row.try_get(0)?,
                position: count(row.try_get(1)?),
                owner: None,
                clubs: Vec::new(),
            });
        }
        if changes.len() > most {
            return Ok(None);
        }
    }
    changes.sort_by_key(|change| change.position);
    Ok(Some(changes))
}

/// A position as Postgres has it.
fn integer(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A number that a check constraint or `count` keeps from being negative.
fn count(number: Option<i64>) -> u64 {
    number.map_or(0, |number| u64::try_from(number).unwrap_or(0))
}
