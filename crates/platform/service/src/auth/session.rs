//! A login that lasts longer than a request: what the token proved, to be judged again when the shop says something else
//! of the user.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use uuid::Uuid;

use super::Principal;
use super::account::Account;
use super::authenticator::Authenticator;
use super::token::{LEEWAY_S, Proven};
use crate::problem::Problem;

/// What a token proved, for as long as it lasts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Session(Proven);

impl Session {
    /// Who logged in.
    pub fn user_id(&self) -> Uuid {
        self.0.principal.user_id
    }

    /// When the token ends by its own words, in seconds since 1970. It is accepted for a little longer.
    pub fn expires_at(&self) -> i64 {
        i64::try_from(self.0.ends.saturating_sub(LEEWAY_S)).unwrap_or(i64::MAX)
    }

    /// How long the token is still accepted.
    pub fn remaining(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // With a clock before 1970 every token counts as expired.
        now.map_or(Duration::ZERO, |now| {
            Duration::from_secs(self.0.ends).saturating_sub(now)
        })
    }

    /// The caller, by what the shop says of the user; the refusal of the token if that ended it.
    pub fn under(&self, account: Account) -> Result<Principal, Problem> {
        Ok(account.applied_to(self.0.clone())?)
    }
}

impl Authenticator {
    /// The session of a request. What the shop says of its user is not asked here: the caller does, now and later.
    pub async fn session(&self, headers: &HeaderMap) -> Result<Session, Problem> {
        self.proven(headers)
            .await?
            .map(Session)
            .ok_or_else(Problem::unauthorized)
    }

    /// As [`session`](Self::session), of a token that came by another way than in a header.
    pub async fn session_of(&self, token: &str) -> Result<Session, Problem> {
        let authorization = format!("Bearer {token}");
        Ok(Session(self.verify(authorization.as_bytes()).await?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::Session;
    use crate::auth::token::Proven;
    use crate::auth::{Account, Principal, Role};

    fn session(issued_at: i64, ends: u64) -> Session {
        Session(Proven {
            principal: Principal {
                user_id: Uuid::nil(),
                roles: [Role::Customer].into(),
                clubs: Vec::new(),
            },
            issued_at: Some(issued_at),
            ends,
        })
    }

    #[test]
    fn a_session_is_judged_by_each_account_alone() {
        let session = session(100, u64::MAX);
        let revoked = |at| Account {
            revoked_at: Some(at),
            ..Account::default()
        };
        let refused = session.under(revoked(100)).unwrap_err();
        assert_eq!(refused.code(), "token_revoked");
        assert!(session.under(revoked(99)).is_ok());
        let staff = Account {
            access: Some(([Role::Staff].into(), Vec::new())),
            revoked_at: None,
        };
        assert!(session.under(staff).unwrap().is_staff());
        assert!(!session.under(Account::default()).unwrap().is_staff());
    }

    #[test]
    fn an_expired_session_has_no_time_left() {
        assert_eq!(session(0, 1).remaining(), Duration::ZERO);
        assert!(session(0, u64::MAX).remaining() > Duration::from_mins(1));
    }
}
