//! Readiness: whether this process should get traffic, and the reason if not. Each part reports its own check.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::metrics;

type States = BTreeMap<&'static str, State>;

/// The checks of one process. Cheap to clone; all clones share the same checks.
#[derive(Clone, Debug)]
pub struct Health {
    states: Arc<Mutex<States>>,
    shutdown: CancellationToken,
}

/// One part's own check. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Check {
    name: &'static str,
    states: Arc<Mutex<States>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// The check passes, with a remark.
    Degraded(String),
    Failing(String),
}

impl State {
    fn passes(&self) -> bool {
        !matches!(self, Self::Failing(_))
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Ok => None,
            Self::Degraded(reason) | Self::Failing(reason) => Some(reason),
        }
    }
}

/// How a part is, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Ok,
    /// It works with a limitation.
    Degraded,
    /// It does not work.
    Failing,
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
            states: Arc::default(),
            shutdown,
        }
    }

    /// Adds a check, which fails with "starting" until its part reports. Reasons are public: no address and no secret in them.
    pub fn check(&self, name: &'static str) -> Check {
        let check = Check {
            name,
            states: Arc::clone(&self.states),
        };
        check.set(State::Failing("starting".to_owned()));
        check
    }

    /// The state of all checks right now. A shutdown shows as a failing check of its own.
    pub fn readiness(&self) -> Readiness {
        let mut checks: Vec<CheckState> = lock(&self.states)
            .iter()
            .map(|(name, state)| CheckState {
                name,
                ok: state.passes(),
                reason: state.reason().map(ToOwned::to_owned),
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

impl Health {
    /// How each part is right now, by the name of its check.
    pub fn conditions(&self) -> BTreeMap<&'static str, Condition> {
        let states = lock(&self.states);
        let of = |state: &State| match state {
            State::Ok => Condition::Ok,
            State::Degraded(_) => Condition::Degraded,
            State::Failing(_) => Condition::Failing,
        };
        states.iter().map(|(name, state)| (*name, of(state))).collect()
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
        self.set(State::Ok);
    }

    /// This part works with a limitation, for example without a server that it does not need. The reason is shown, and the
    /// process still gets traffic.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// This part does not work, and the process should get no traffic until it does.
    pub fn fail(&self, reason: impl Into<String>) {
        self.set(State::Failing(reason.into()));
    }

    /// Logs changes only, so a check may be set as often as convenient.
    fn set(&self, state: State) {
        ::metrics::gauge!(metrics::HEALTH_CHECK_OK, "check" => self.name).set(if state.passes() {
            1.0
        } else {
            0.0
        });
        let Some(before) = lock(&self.states).insert(self.name, state.clone()) else {
            return;
        };
        if mem::discriminant(&before) == mem::discriminant(&state) {
            return;
        }
        match state {
            State::Ok => tracing::info!(check = self.name, "health check passes"),
            State::Degraded(reason) => tracing::warn!(check = self.name, reason, "health check is degraded"),
            State::Failing(reason) => tracing::warn!(check = self.name, reason, "health check fails"),
        }
    }
}

/// The map is never left half-written, so a panic while it was locked leaves it usable.
fn lock(states: &Mutex<States>) -> MutexGuard<'_, States> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}
