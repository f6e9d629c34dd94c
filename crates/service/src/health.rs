//! Whether this process should get traffic, and if not, why not: each part reports on its own check.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::metrics;

type Reasons = BTreeMap<&'static str, Option<String>>;

/// The checks of one process. Cheap to clone; all clones share the same checks.
#[derive(Clone, Debug)]
pub struct Health {
    /// Why each check fails, `None` when it passes.
    reasons: Arc<Mutex<Reasons>>,
    shutdown: CancellationToken,
}

/// One part's own check. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Check {
    name: &'static str,
    reasons: Arc<Mutex<Reasons>>,
}

/// The answer of `/health/ready`.
#[derive(Debug, Serialize)]
pub struct Readiness {
    status: &'static str,
    checks: Vec<CheckState>,
}

#[derive(Debug, Serialize)]
struct CheckState {
    name: &'static str,
    ok: bool,
    reason: Option<String>,
}

impl Health {
    /// No checks yet. Never ready again once `shutdown` is cancelled.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            reasons: Arc::default(),
            shutdown,
        }
    }

    /// Adds a check, which fails with "starting" until it is told otherwise. The reason is public, so it never holds
    /// an address or a secret.
    pub fn check(&self, name: &'static str) -> Check {
        let check = Check {
            name,
            reasons: Arc::clone(&self.reasons),
        };
        check.set(Some("starting".to_owned()));
        check
    }

    /// The state of all checks right now. A shutdown shows as a failing check of its own.
    pub fn readiness(&self) -> Readiness {
        let mut checks: Vec<CheckState> = lock(&self.reasons)
            .iter()
            .map(|(name, reason)| CheckState {
                name,
                ok: reason.is_none(),
                reason: reason.clone(),
            })
            .collect();
        if self.shutdown.is_cancelled() {
            checks.push(CheckState {
                name: "shutdown",
                ok: false,
                reason: Some("shutting down".to_owned()),
            });
        }
        let status = if checks.iter().all(|check| check.ok) {
            "ready"
        } else {
            "not_ready"
        };
        Readiness { status, checks }
    }
}

impl Readiness {
    /// Whether every check passes and no shutdown has begun.
    pub fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

impl Check {
    /// This part works.
    pub fn ok(&self) {
        self.set(None);
    }

    /// This part does not work, and the process should get no traffic until it does.
    pub fn fail(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    /// Logs changes only, so a check may be set as often as convenient.
    fn set(&self, reason: Option<String>) {
        let before = lock(&self.reasons).insert(self.name, reason.clone());
        ::metrics::gauge!(metrics::HEALTH_CHECK_OK, "check" => self.name).set(if reason.is_none() {
            1.0
        } else {
            0.0
        });
        match (before, reason) {
            (Some(Some(_)), None) => tracing::info!(check = self.name, "health check passes"),
            (Some(None), Some(reason)) => tracing::warn!(check = self.name, reason, "health check fails"),
            _ => {}
        }
    }
}

/// The map is never left half-written, so a panic elsewhere while it was held does not spoil it.
fn lock(reasons: &Mutex<Reasons>) -> MutexGuard<'_, Reasons> {
    reasons.lock().unwrap_or_else(PoisonError::into_inner)
}
