//! What a user may do, as an administrator has said.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::Error;

const READ_STANDING: &str = include_str!("sql/read_standing.sql");

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStanding {
    /// Roles; nothing while those of tokens count.
    pub roles: Option<Vec<String>>,
    /// The clubs that an organizer acts for.
    pub club_ids: Vec<Uuid>,
    /// Tokens from before this are not accepted.
    pub sessions_revoked_at: Option<DateTime<Utc>>,
}

/// The user's standing; nothing if the log says nothing of the user.
pub async fn read(client: &Client, user_id: Uuid) -> Result<Option<UserStanding>, Error> {
    let Some(row) = client.query_opt(READ_STANDING, &[&user_id]).await? else {
        return Ok(None);
    };
    Ok(Some(UserStanding {
        roles: row.try_get("roles")?,
        club_ids: row.try_get("club_ids")?,
        sessions_revoked_at: row.try_get("sessions_revoked_at")?,
    }))
}
