//! The access token: fetched once for all callers that wait for it, and renewed before it expires.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// A token is renewed this long before it expires, or after half its validity if that is earlier.
const MARGIN: Duration = Duration::from_mins(1);
/// Vipps gives tokens of 1 hour (test) and 24 hours (production). A longer validity is cut to this.
const MAX_LIFE: Duration = Duration::from_hours(24);

pub(super) struct Token {
    value: Arc<str>,
    renew_at: Instant,
}

impl Token {
    /// A token received now that is valid for `life`.
    pub(super) fn new(value: &str, life: Duration) -> Self {
        let life = life.min(MAX_LIFE);
        Self {
            value: value.into(),
            renew_at: Instant::now() + life.saturating_sub(MARGIN.min(life / 2)),
        }
    }
}

#[derive(Default)]
pub(super) struct Tokens {
    /// Locked while fetching, so that one request serves all waiting callers. A waiter whose caller gives up leaves the lock
    /// to the next, as does one whose fetch failed. Every caller has its own deadline.
    cached: Mutex<Option<Token>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// The cached token if it is good at `now`, or else the one `fetch` gets.
    pub(super) async fn current<F, E>(&self, now: Instant, fetch: impl FnOnce() -> F) -> Result<Arc<str>, E>
    where
        F: Future<Output = Result<Token, E>>,
    {
        let mut cached = self.cached.lock().await;
        if let Some(token) = cached.as_ref().filter(|token| now < token.renew_at) {
            return Ok(Arc::clone(&token.value));
        }
        let token = fetch().await?;
        let value = Arc::clone(&token.value);
        *cached = Some(token);
        Ok(value)
    }

    /// Drops `refused` from the cache, unless another caller has replaced it already.
    pub(super) async fn discard(&self, refused: &Arc<str>) {
        let mut cached = self.cached.lock().await;
        if cached
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(&token.value, refused))
        {
            *cached = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[derive(Default)]
    struct Fixture {
        tokens: Tokens,
        fetched: AtomicU32,
    }

    impl Fixture {
        /// The token in use `later` than now.
        async fn token(&self, later: Duration) -> Arc<str> {
            let fetch = || async {
                tokio::task::yield_now().await;
                let n = self.fetched.fetch_add(1, Ordering::SeqCst) + 1;
                Ok::<_, Infallible>(Token::new(&format!("token-{n}"), HOUR))
            };
            self.tokens.current(Instant::now() + later, fetch).await.unwrap()
        }
    }

    #[tokio::test]
    async fn many_waiters_share_one_fetch() {
        let fixture = Arc::new(Fixture::default());
        let mut waiters = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let fixture = Arc::clone(&fixture);
            waiters.spawn(async move { fixture.token(Duration::ZERO).await });
        }
        for token in waiters.join_all().await {
            assert_eq!(&*token, "token-1");
        }
        assert_eq!(fixture.fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_it_expires() {
        let fixture = Fixture::default();
        assert_eq!(&*fixture.token(Duration::ZERO).await, "token-1");
        assert_eq!(&*fixture.token(HOUR.saturating_sub(2 * MARGIN)).await, "token-1");
        assert_eq!(&*fixture.token(HOUR.saturating_sub(MARGIN)).await, "token-2");
    }

    #[tokio::test]
    async fn a_late_discard_spares_the_new_token() {
        let fixture = Fixture::default();
        let first = fixture.token(Duration::ZERO).await;
        fixture.tokens.discard(&first).await;
        let second = fixture.token(Duration::ZERO).await;
        fixture.tokens.discard(&first).await;
        assert_eq!(fixture.token(Duration::ZERO).await, second);
        assert_eq!(&*second, "token-2");
    }
}
