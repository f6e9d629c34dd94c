//! What the read model says of a user's roles and sessions. An answer is kept for a moment, so that one caller's requests
//! in a row ask the database once.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use query::Reads;
use read_model::USERS;
use read_model::account::{self, UserAccount};
use service::auth::{Account, Accounts, Role};
use service::problem::Problem;
use uuid::Uuid;

/// How long an answer is kept. With the projection's delay it stays well below the second in which a change must hold.
const KEPT: Duration = Duration::from_millis(250);
/// The most answers kept. A full cache is cleared.
const MOST: usize = 4096;

/// Reads accounts from the read model.
#[derive(Clone, Debug)]
pub struct AccountsInTheReadModel {
    reads: Reads,
    kept: Arc<Mutex<HashMap<Uuid, (Instant, Account)>>>,
}

impl AccountsInTheReadModel {
    /// Reads as all operations do.
    pub fn new(reads: Reads) -> Self {
        Self {
            reads,
            kept: Arc::default(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Instant, Account)>> {
        // Each change is whole, also after a panic while the lock was held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, user_id: Uuid) -> Result<Account, Problem> {
        let asked = Instant::now();
        let kept = self.kept().get(&user_id).cloned();
        if let Some((_, account)) = kept.filter(|(at, _)| asked.duration_since(*at) < KEPT) {
            return Ok(account);
        }
        // A replica may lag by seconds.
        let found = self
            .reads
            .ask_freshest(USERS.name, move |client| Box::pin(account::read(client, user_id)))
            .await?;
        let account = found.map(of).unwrap_or_default();
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(user_id, (asked, account.clone()));
        Ok(account)
    }
}

impl Accounts for AccountsInTheReadModel {
    fn of(&self, user_id: Uuid) -> Pin<Box<dyn Future<Output = Result<Account, Problem>> + Send + '_>> {
        Box::pin(self.read(user_id))
    }
}

/// What the row of a user says.
pub(crate) fn of(user: UserAccount) -> Account {
    let access = user.roles.map(|roles| {
        let roles = roles.iter().filter_map(|role| Role::parse(role)).collect();
        (roles, user.club_ids)
    });
    Account {
        access,
        revoked_at: user.sessions_revoked_at.map(|at| at.timestamp()),
    }
}
