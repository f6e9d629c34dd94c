//! Counts the requests of merchants since the start, by operation, and the held ones. Tests wait for these counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::faults::{Hold, Operation, Point};
use super::switch::FaultSwitch;

/// Requests by operation.
#[derive(Default)]
pub(super) struct Calls(Mutex<Counts>);

#[derive(Clone, Default, Serialize)]
pub(super) struct Counts {
    /// How many arrived.
    total: BTreeMap<Operation, u64>,
    /// How many wait for a hold to end.
    held: BTreeMap<Operation, u64>,
}

impl Calls {
    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request.
pub(super) struct Call {
    calls: Arc<Calls>,
    operation: Operation,
}

impl Call {
    pub(super) fn begin(calls: &Arc<Calls>, operation: Operation) -> Self {
        *calls.lock().total.entry(operation).or_default() += 1;
        Self {
            calls: Arc::clone(calls),
            operation,
        }
    }

    pub(super) async fn wait_before_work(&self, faults: &FaultSwitch) {
        self.wait(faults, Point::Work).await;
    }

    pub(super) async fn wait_before_answer(&self, faults: &FaultSwitch) {
        self.wait(faults, Point::Answer).await;
    }

    async fn wait(&self, faults: &FaultSwitch, before: Point) {
        let hold = Hold {
            operation: self.operation,
            before,
        };
        if faults.holds(hold) {
            *self.calls.lock().held.entry(self.operation).or_default() += 1;
            faults.let_go(hold).await;
            *self.calls.lock().held.entry(self.operation).or_default() -= 1;
        }
    }
}
