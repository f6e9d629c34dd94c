//! Follows all rows, for all readers at once: one statement whenever they may have moved.

use std::fmt::Write as _;
use std::sync::LazyLock;

use query::{Checkpoint, Error, Round};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::followed::{FOLLOWED, USERS};
use super::{Change, Place, count, integer};
use crate::account::UserAccount;
use crate::checkpoint::PROJECTION;

/// Most rows of one table in one look. A run of events that changes more is seen in several.
const MOST: usize = 1000;

/// What one look found.
#[derive(Debug)]
pub enum Step {
    /// Rows moved, and these are all up to a position.
    Moved {
        /// The rows, by their positions.
        changes: Vec<Change>,
        /// What changed of users, among it what they may do.
        accounts: Vec<(Uuid, UserAccount)>,
        /// Up to which position these are all.
        through: u64,
        /// Where the rows are, if nothing of them is left to look at.
        place: Option<Place>,
    },
    /// The rows are others than before, or are not told one by one: who followed them reads them again.
    Began {
        /// Where the rows are.
        place: Place,
        /// Why.
        reason: &'static str,
    },
}

/// Looks at all rows and hands on what it finds.
#[derive(Debug)]
pub struct Follower<F> {
    hand_on: F,
    /// What was last seen whole.
    place: Option<Place>,
    /// Up to where changes were handed on since.
    through: u64,
}

impl<F: FnMut(Step) + Send + 'static> Follower<F> {
    /// One that has seen nothing yet: its first step says where the rows are.
    pub fn new(hand_on: F) -> Self {
        Self {
            hand_on,
            place: None,
            through: 0,
        }
    }
}

impl<F: FnMut(Step) + Send + 'static> Round for Follower<F> {
    async fn look(&mut self, client: &Client) -> Result<bool, Error> {
        let since = self.place.map_or(i64::MAX, |_| integer(self.through));
        let told = self.place.map_or(0, |place| integer(place.checkpoint.position));
        let limit = integer(MOST as u64);
        let binds: [(&(dyn ToSql + Sync), Type); 4] = [
            (&PROJECTION, Type::TEXT),
            (&since, Type::INT8),
            (&told, Type::INT8),
            (&limit, Type::INT8),
        ];
        let rows = client.query_typed(&FOLLOW, &binds).await?;
        let found = Found::read(&rows)?;
        let Some(step) = step(self.place, self.through, found) else {
            return Ok(false);
        };
        let more = match &step {
            Step::Moved { through, place, .. } => {
                self.through = *through;
                self.place = place.or(self.place);
                place.is_none()
            }
            Step::Began { place, .. } => {
                self.through = place.checkpoint.position;
                self.place = Some(*place);
                false
            }
        };
        (self.hand_on)(step);
        Ok(more)
    }
}

/// The rows behind a position as one statement saw them.
#[derive(Debug, Default)]
struct Found {
    place: Place,
    /// How many events wait up to the position that was seen whole last.
    parked_before: u64,
    changes: Vec<Change>,
    accounts: Vec<(Uuid, UserAccount)>,
    /// Up to which position no table had more rows than fit.
    through: u64,
}

/// What the find means to those who were told everything up to `place`, and of later rows those up to `through`. Nothing
/// if nothing happened.
fn step(place: Option<Place>, through: u64, found: Found) -> Option<Step> {
    let began = |reason| {
        Some(Step::Began {
            place: found.place,
            reason,
        })
    };
    let Some(place) = place else { return began("first") };
    if found.place.checkpoint.epoch != place.checkpoint.epoch {
        return began("another_log");
    }
    if found.place.checkpoint.position < through || found.parked_before < place.parked {
        return began("rows_rebuilt");
    }
    let whole = found.through == found.place.checkpoint.position;
    if whole && found.place == place && found.changes.is_empty() {
        return None;
    }
    if found.through <= through && !whole {
        // One event changed more rows than one look takes.
        return began("too_many");
    }
    Some(Step::Moved {
        changes: found.changes,
        accounts: found.accounts,
        through: found.through,
        place: whole.then_some(found.place),
    })
}

impl Found {
    fn read(rows: &[Row]) -> Result<Self, Error> {
        let mut found = Self::default();
        let Some(first) = rows.first() else {
            return Ok(found);
        };
        found.place = Place {
            checkpoint: Checkpoint::from_columns(first.try_get("at_position")?, first.try_get("epoch")?),
            parked: count(first.try_get("parked")?),
        };
        found.parked_before = count(first.try_get("parked_before")?);
        found.through = found.place.checkpoint.position;
        let mut of_table = [0; FOLLOWED.len()];
        let mut positions = Vec::with_capacity(rows.len());
        for row in rows {
            // Without a changed row there is one row with the head alone.
            let Some(table) = row.try_get::<_, Option<i32>>("of")? else {
                break;
            };
            let Some((index, of)) = usize::try_from(table)
                .ok()
                .and_then(|at| Some((at, FOLLOWED.get(at)?)))
            else {
                continue;
            };
            let id = row.try_get("id")?;
            let position = count(row.try_get("position")?);
            of_table[index] += 1;
            if of_table[index] == MOST {
                // Further rows of this last position may be missing.
                found.through = found.through.min(position.saturating_sub(1));
            }
            if index == USERS {
                let account = UserAccount {
                    roles: row.try_get("roles")?,
                    club_ids: row.try_get("account_clubs")?,
                    sessions_revoked_at: row.try_get("revoked_at")?,
                };
                positions.push((position, id, account));
            }
            found.changes.push(Change {
                of,
                id,
                position,
                owner: row.try_get("owner")?,
                clubs: row.try_get("clubs")?,
            });
        }
        let through = found.through;
        found.changes.retain(|change| change.position <= through);
        found.changes.sort_by_key(|change| change.position);
        let users = positions
            .into_iter()
            .filter(|(position, ..)| *position <= through);
        found.accounts = users.map(|(_, id, account)| (id, account)).collect();
        Ok(found)
    }
}

/// The statement of a look, for finding out how Postgres carries it out.
pub fn statement() -> &'static str {
    &FOLLOW
}

/// The statement: where the rows are, and of each table the rows behind a position. Binds: $1 projection text, $2 behind
/// this position bigint, $3 what was seen whole bigint, $4 most rows of a table bigint.
static FOLLOW: LazyLock<String> = LazyLock::new(|| {
    let mut changed = String::new();
    for (index, of) in FOLLOWED.iter().enumerate() {
        let union = if index == 0 { "" } else { "    union all\n" };
        let account = if index == USERS {
            "roles, club_ids, sessions_revoked_at"
        } else {
            "null::text[], null::uuid[], null::timestamptz"
        };
        let (table, key, owner, clubs) = (of.table, of.key, of.owner, of.clubs);
        // Writing to a String can't fail.
        let _ = writeln!(
            changed,
            "{union}    (select {index}, {key}, position, {owner}, {clubs}, {account}
     from {table} where position > $2 order by position limit $4)"
        );
    }
    format!(
        "select head.position as at_position, head.epoch,
       (select count(*) from parked_events p where p.projection = $1) as parked,
       (select count(*) from parked_events p where p.projection = $1 and p.position <= $3) as parked_before,
       changed.*
from (select 1) as one
left join checkpoints head on head.projection = $1
left join (
{changed}) as changed (of, id, position, owner, clubs, roles, account_clubs, revoked_at) on true"
    )
});

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Checkpoint, Found, Place, Step, step};

    const EPOCH: Uuid = Uuid::from_u128(1);

    fn place(position: u64, parked: u64) -> Place {
        Place {
            checkpoint: Checkpoint {
                position,
                epoch: EPOCH,
            },
            parked,
        }
    }

    fn found(place: Place, through: u64, parked_before: u64) -> Found {
        Found {
            place,
            parked_before,
            through,
            ..Found::default()
        }
    }

    fn reason(step: Option<&Step>) -> &'static str {
        match step {
            Some(Step::Began { reason, .. }) => reason,
            Some(Step::Moved { place: Some(_), .. }) => "whole",
            Some(Step::Moved { place: None, .. }) => "part",
            None => "nothing",
        }
    }

    #[test]
    fn what_was_found_is_told_or_read_again() {
        let told = Some(place(10, 2));
        for (expected, before, through, found) in [
            ("first", None, 0, found(place(10, 2), 10, 0)),
            ("nothing", told, 10, found(place(10, 2), 10, 2)),
            ("whole", told, 10, found(place(12, 3), 12, 2)),
            ("part", told, 10, found(place(5000, 2), 1200, 2)),
            ("whole", told, 1200, found(place(5000, 2), 5000, 2)),
            // An event with more rows than one look takes.
            ("too_many", told, 10, found(place(12, 2), 10, 2)),
            // The log was restored, the rows were set back, and parked events were applied.
            ("rows_rebuilt", told, 10, found(place(9, 2), 9, 2)),
            ("rows_rebuilt", told, 10, found(place(12, 1), 12, 1)),
            ("rows_rebuilt", told, 10, found(place(12, 2), 12, 1)),
        ] {
            assert_eq!(reason(step(before, through, found).as_ref()), expected);
        }
        let mut restored = found(place(12, 2), 12, 2);
        restored.place.checkpoint.epoch = Uuid::from_u128(2);
        assert_eq!(reason(step(told, 10, restored).as_ref()), "another_log");
    }
}
