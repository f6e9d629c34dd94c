//! What the shop itself says of a user, which goes before what the user's token says.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use uuid::Uuid;

use super::principal::{Principal, Role};
use super::token::{Proven, TokenError};
use crate::problem::Problem;

/// What the shop says of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user's roles and, for an organizer, clubs; nothing while those of tokens count.
    pub access: Option<(BTreeSet<Role>, Vec<Uuid>)>,
    /// Tokens that were issued in this second or before are not accepted, in seconds since 1970.
    pub revoked_at: Option<i64>,
}

/// Knows the account of every user. It is asked for every request that takes a login, so an answer must be quick and may
/// be old by a fraction of a second at most.
pub trait Accounts: Debug + Send + Sync {
    /// The user's account, or why it can't be had now.
    fn of(&self, user_id: Uuid) -> Pin<Box<dyn Future<Output = Result<Account, Problem>> + Send + '_>>;
}

impl Account {
    /// The caller as of now: a token that was revoked is none.
    pub(super) fn applied_to(self, proven: Proven) -> Result<Principal, TokenError> {
        // A token that does not say when it was issued may be older than the revocation.
        if let Some(revoked_at) = self.revoked_at
            && proven.issued_at.is_none_or(|issued_at| issued_at <= revoked_at)
        {
            return Err(TokenError::Revoked);
        }
        let mut principal = proven.principal;
        if let Some((roles, clubs)) = self.access {
            (principal.roles, principal.clubs) = (roles, clubs);
        }
        Ok(principal)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Account;
    use crate::auth::token::{Proven, TokenError};
    use crate::auth::{Principal, Role};

    fn issued(issued_at: Option<i64>) -> Proven {
        let principal = Principal {
            user_id: Uuid::nil(),
            roles: [Role::Admin].into(),
            clubs: Vec::new(),
        };
        Proven {
            principal,
            issued_at,
            ends: u64::MAX,
        }
    }

    #[test]
    fn a_token_from_before_the_revocation_is_none() {
        let account = Account {
            revoked_at: Some(100),
            ..Account::default()
        };
        for old in [Some(99), Some(100), None] {
            let refused = account.clone().applied_to(issued(old));
            assert_eq!(refused, Err(TokenError::Revoked), "{old:?}");
        }
        assert!(account.applied_to(issued(Some(101))).is_ok());
        assert!(Account::default().applied_to(issued(None)).is_ok());
    }

    #[test]
    fn what_the_shop_says_goes_before_the_token() {
        let club = Uuid::from_u128(1);
        let account = Account {
            access: Some(([Role::Organizer].into(), vec![club])),
            revoked_at: None,
        };
        let principal = account.applied_to(issued(Some(1))).unwrap();
        assert!(principal.organizes(club) && !principal.is_staff());
    }
}
