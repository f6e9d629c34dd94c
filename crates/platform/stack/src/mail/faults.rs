//! What can go wrong, as a test switches it on. A restart ends all faults.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MAX_SLOW_MS: u64 = 600_000;
/// Recipients whose deferrals are counted. Later ones are not deferred.
const MAX_COUNTED: usize = 10_000;

/// The faults in force, and the body of `POST /faults`. A field left out is set to its default, so `{}` ends all faults.
///
/// ```json
/// {"outage": true, "defer": 2, "refuse": ["kari@example.no"], "drop_after_data": 1, "slow_ms": 500}
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Connections and commands are answered with 421. To refuse connections, stop the process.
    pub outage: bool,
    /// The first this many times, each recipient is answered with 451, as greylisting does.
    pub defer: u32,
    /// These recipients are answered with 550.
    pub refuse: Vec<String>,
    /// The next this many letters are kept, and the connection ends without an answer.
    pub drop_after_data: u32,
    /// Every answer comes this many milliseconds late.
    pub slow_ms: u64,
}

impl Faults {
    /// What is wrong with them.
    pub(super) fn complaint(&self) -> Option<String> {
        (self.slow_ms > MAX_SLOW_MS).then(|| format!("slow_ms: at most {MAX_SLOW_MS}"))
    }
}

/// How a recipient is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Deferred,
    Refused,
}

/// Switches faults on and off while letters come in.
#[derive(Default)]
pub(super) struct Switch(Mutex<Active>);

#[derive(Default)]
struct Active {
    faults: Faults,
    /// How often each recipient was deferred.
    deferred: HashMap<String, u32>,
}

impl Switch {
    pub(super) fn get(&self) -> Faults {
        self.lock().faults.clone()
    }

    /// Replaces the faults, and counts deferrals from zero.
    pub(super) fn set(&self, faults: Faults) {
        *self.lock() = Active {
            faults,
            deferred: HashMap::new(),
        };
    }

    pub(super) fn outage(&self) -> bool {
        self.lock().faults.outage
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.lock().faults.slow_ms)
    }

    pub(super) fn judge(&self, recipient: &str) -> Verdict {
        let mut active = self.lock();
        let refuse = &active.faults.refuse;
        if refuse.iter().any(|one| one.eq_ignore_ascii_case(recipient)) {
            return Verdict::Refused;
        }
        let (wanted, recipient) = (active.faults.defer, recipient.to_ascii_lowercase());
        let full = active.deferred.len() >= MAX_COUNTED && !active.deferred.contains_key(&recipient);
        if wanted == 0 || full {
            return Verdict::Accepted;
        }
        let times = active.deferred.entry(recipient).or_default();
        if *times >= wanted {
            return Verdict::Accepted;
        }
        *times += 1;
        Verdict::Deferred
    }

    /// Whether the letter that was just kept gets no answer. It counts.
    pub(super) fn drops(&self) -> bool {
        let mut active = self.lock();
        let left = active.faults.drop_after_data;
        active.faults.drop_after_data = left.saturating_sub(1);
        left > 0
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
