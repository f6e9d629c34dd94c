//! What a user may do, as an administrator has said.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::Error;

const READ_ACCOUNT: &str = include_str!("sql/read_account.sql");

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccount {
    /// Roles; nothing while those of tokens count.
    pub roles: Option<Vec<String>>,
    /// The clubs that an organizer acts for.
    pub club_ids: Vec<Uuid>,
    /// Tokens from before this are not accepted.
    pub sessions_revoked_at: Option<DateTime<Utc>>,
}

/// The user's account; nothing if the log says nothing of the user.
pub async fn read(client: &Client, user_id: Uuid) -> Result<Option<UserAccount>, Error> {
    let Some(row) = client.query_opt(READ_ACCOUNT, &[&user_id]).await? else {
        return Ok(None);
    };
    Ok(Some(UserAccount {
        roles: row.try_get("roles")?,
        club_ids: row.try_get("club_ids")?,
        sessions_revoked_at: row.try_get("sessions_revoked_at")?,
    }))
}
