//! One server that has the rows of a projection: the primary of the read database, or a replica of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connect::Database;
use deadpool_postgres::ClientWrapper;
use tokio::time::Instant;

use crate::error::{Error, Question};
use crate::lane::{Lane, Lanes};
use crate::progress::Seen;
use crate::projection::Projection;
use crate::schema_gate::SchemaGate;
use crate::standing::{Change, Fault, Standing, Steps};

/// After this many failures in a row a replica is taken out of use.
const FAILURES: u32 = 3;

/// One server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    /// What its connections are made from. They have no name and no time limit yet.
    database: Database,
    lanes: Lanes,
    schema: SchemaGate,
    projection: Projection,
    standing: Mutex<Standing>,
    failures: AtomicU32,
}

impl Place {
    /// `name` is the one in metrics and health checks.
    pub(crate) fn new(
        name: String,
        database: Database,
        lanes: Lanes,
        schema: SchemaGate,
        projection: Projection,
    ) -> Self {
        Self(Arc::new(Inner {
            name,
            database,
            lanes,
            schema,
            projection,
            standing: Mutex::default(),
            failures: AtomicU32::new(0),
        }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn schema(&self) -> &SchemaGate {
        &self.0.schema
    }

    pub(crate) fn projection(&self) -> &Projection {
        &self.0.projection
    }

    pub(crate) fn seen(&self) -> Seen {
        self.0.projection.seen()
    }

    pub(crate) fn load(&self, lane: Lane) -> usize {
        self.0.lanes.load(lane)
    }

    pub(crate) fn is_one_of(&self, places: &[Self]) -> bool {
        places.iter().any(|place| Arc::ptr_eq(&self.0, &place.0))
    }

    pub(crate) async fn ask<T>(
        &self,
        lane: Lane,
        question: impl FnOnce(&ClientWrapper) -> Question<'_, T>,
    ) -> Result<T, Error> {
        self.0.lanes.ask(lane, question).await
    }

    /// A request was answered here.
    pub(crate) fn answered(&self) {
        self.0.failures.store(0, Ordering::Relaxed);
    }

    /// A request failed because of this server.
    pub(crate) fn failed(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// What speaks against it now, compared with the primary.
    pub(crate) fn fault(&self, primary: Seen, steps: &Steps, most_lag: Duration) -> Option<Fault> {
        let seen = self.seen();
        let lag = steps.lag(seen.position);
        if !seen.answers {
            Some(Fault::Silent)
        } else if !self.0.schema.is_open() {
            Some(Fault::Schema)
        } else if seen.epoch != primary.epoch && !seen.epoch.is_nil() && !primary.epoch.is_nil() {
            Some(Fault::Epoch)
        } else if lag > most_lag {
            Some(Fault::Lagging(lag))
        } else if self.0.failures.load(Ordering::Relaxed) >= FAILURES {
            Some(Fault::Failing)
        } else {
            None
        }
    }

    /// What keeps it out of use.
    pub(crate) fn ejected_for(&self) -> Option<Fault> {
        self.standing().ejected_for()
    }

    /// Judges by what speaks against it now.
    pub(crate) fn judge(&self, fault: Option<Fault>, now: Instant) -> Option<Change> {
        let change = self.standing().judge(fault, now);
        if fault == Some(Fault::Failing) {
            // Without requests nothing else would end it. Its probation is long when it comes again.
            self.0.failures.store(0, Ordering::Relaxed);
        }
        change
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Each change is whole, also after a panic while the lock was held.
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
