//! A cache of verified tokens, so that a customer's next request costs no signature check.
//!
//! An entry is valid only for the key that verified it (a rotated key is another one) and until the token expires. Only
//! verified tokens are stored, and their number is bounded.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::DecodingKey;

use super::token::Proven;

/// The most tokens cached, about 1 KiB each. A full cache is cleared; the tokens in use are soon verified again.
const MOST: usize = 4096;

/// Verified tokens, by their text.
#[derive(Default)]
pub(super) struct Verified(RwLock<HashMap<Box<str>, Entry>>);

struct Entry {
    key: Arc<DecodingKey>,
    proven: Proven,
}

impl Verified {
    /// What the token proves, if `key` verified the token and it has not expired.
    pub(super) fn get(&self, token: &str, key: &Arc<DecodingKey>) -> Option<Proven> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(token)?;
        (Arc::ptr_eq(&entry.key, key) && now() < entry.proven.ends).then(|| entry.proven.clone())
    }

    /// Stores a token that `key` has just verified.
    pub(super) fn keep(&self, token: &str, key: &Arc<DecodingKey>, proven: Proven) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST {
            entries.clear();
        }
        let entry = Entry {
            key: Arc::clone(key),
            proven,
        };
        entries.insert(token.into(), entry);
    }
}

impl std::fmt::Debug for Verified {
    /// Tokens are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Verified")
            .field("tokens", &entries.len())
            .finish()
    }
}

fn now() -> u64 {
    // With a clock before 1970 every token counts as expired.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(u64::MAX, |since: Duration| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jsonwebtoken::DecodingKey;
    use uuid::Uuid;

    use super::{MOST, Verified, now};
    use crate::auth::token::Proven;
    use crate::auth::{Principal, Role};

    fn until(ends: u64) -> Proven {
        let principal = Principal {
            user_id: Uuid::nil(),
            roles: [Role::Customer].into(),
            clubs: Vec::new(),
        };
        Proven {
            principal,
            issued_at: None,
            ends,
        }
    }

    fn key() -> Arc<DecodingKey> {
        Arc::new(DecodingKey::from_secret(b"for comparison only"))
    }

    #[test]
    fn a_token_is_good_for_the_key_that_proved_it_and_until_it_ends() {
        let (verified, right, other) = (Verified::default(), key(), key());
        verified.keep("token", &right, until(now() + 60));
        assert!(verified.get("token", &right).is_some());
        assert!(verified.get("token", &other).is_none());
        assert!(verified.get("token2", &right).is_none());
        verified.keep("token", &right, until(now()));
        assert!(verified.get("token", &right).is_none());
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let (verified, key) = (Verified::default(), key());
        for number in 0..MOST + 2 {
            verified.keep(&number.to_string(), &key, until(now() + 60));
        }
        assert_eq!(format!("{verified:?}"), "Verified { tokens: 2 }");
    }
}
