//! What the log says of a user's roles and sessions. Every request reads the user's own events, in one statement with the
//! other loads of the moment, so that all instances know of a change at once and none keeps a list that can be old.

use std::collections::BTreeSet;
use std::pin::Pin;

use domain::User;
use event_store::CommandHandler;
use events::UserRolesSet;
use service::auth::{Account, Accounts, Role};
use service::problem::Problem;
use uuid::Uuid;

use crate::answer::unreadable;

/// Reads accounts from the log.
#[derive(Clone)]
pub(crate) struct AccountsInTheLog(pub(crate) CommandHandler);

impl std::fmt::Debug for AccountsInTheLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountsInTheLog")
    }
}

impl Accounts for AccountsInTheLog {
    fn of(&self, user_id: Uuid) -> Pin<Box<dyn Future<Output = Result<Account, Problem>> + Send + '_>> {
        Box::pin(async move {
            let loaded = self.0.load::<User>(user_id).await;
            let user = loaded.map_err(|error| unreadable(&error))?.aggregate;
            Ok(Account {
                access: user.access().map(access),
                revoked_at: user.sessions_revoked_at().map(|at| at.timestamp()),
            })
        })
    }
}

fn access(set: &UserRolesSet) -> (BTreeSet<Role>, Vec<Uuid>) {
    let roles = set.roles.iter().filter_map(|role| Role::parse(role.into()));
    (roles.collect(), set.club_ids.clone())
}
