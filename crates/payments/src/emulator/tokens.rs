//! Access tokens. They are lost in a restart, as a provider may revoke them at any time: on 401 a merchant gets a new one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// Most tokens kept; the oldest is dropped first.
const MAX_TOKENS: usize = 1000;

pub(super) struct Tokens {
    life: Duration,
    valid: Mutex<VecDeque<(String, Instant)>>,
}

impl Tokens {
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life,
            valid: Mutex::default(),
        }
    }

    pub(super) fn life(&self) -> Duration {
        self.life
    }

    pub(super) fn issue(&self) -> String {
        let token = Uuid::new_v4().simple().to_string();
        let mut valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if valid.len() >= MAX_TOKENS {
            valid.pop_front();
        }
        valid.push_back((token.clone(), Instant::now() + self.life));
        token
    }

    pub(super) fn is_valid(&self, token: &str) -> bool {
        let valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        valid
            .iter()
            .any(|(known, until)| known == token && Instant::now() < *until)
    }
}
