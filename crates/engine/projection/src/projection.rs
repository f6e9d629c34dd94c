//! What a projection declares, and what a batch of its events does.

use std::fmt::Display;

use connect::Migrations;
use deadpool_postgres::Transaction;
use envelope::{DecodeError, RecordedEvent};
use tokio_postgres::Error;

/// Tables that follow the log. An implementation declares; everything that happens to the tables is in this crate.
///
/// The tables live in one schema of one database, which belongs to this projection alone. Every session of the projection
/// has that schema as its `search_path`, so statements name tables without a schema.
pub trait Projection: Clone + Send + Sync + 'static {
    /// The rows that a run of events changes.
    type Batch: ProjectionBatch;

    /// Names the projection in its checkpoint, in its parked events, in metrics and in the schemas of a rebuild. A
    /// lower-case identifier of at most 40 characters; it never changes.
    fn name(&self) -> &str;

    /// The schema of the tables.
    fn schema(&self) -> &str {
        self.name()
    }

    /// The channel of the notification that follows each commit. Its payload is the new position; after a space the new
    /// versions of changed collections, as a JSON object; or another word when the rows were replaced or marked.
    fn channel(&self) -> &str;

    /// Identifies the code that makes the rows, for example by a hash of its sources. Events that another build parked are
    /// retried once by this one.
    fn build(&self) -> &str;

    /// The commands that messages name.
    fn commands(&self) -> Commands;

    /// The numbered migrations that create the tables. The tables of this crate are added to them.
    fn migrations(&self) -> &'static Migrations;

    /// Whether events of this kind of aggregate change rows. Other events are skipped. An unknown event of an aggregate
    /// that is read is parked, because it might change a row.
    fn reads(&self, aggregate_type: &str) -> bool;

    /// Whether events of different aggregates change the same row. Such rows are loaded by one worker instead of one per
    /// core. They must not depend on the order of events of different aggregates: a parked aggregate is applied later.
    fn rows_span_aggregates(&self) -> bool {
        false
    }
}

/// The commands that messages for people name.
#[derive(Clone, Copy, Debug)]
pub struct Commands {
    /// The program that follows, examines and rebuilds, for example `reporter`.
    pub program: &'static str,
    /// The command that begins a new epoch of a restored log.
    pub new_epoch: &'static str,
}

impl Commands {
    /// The application name of connections for one purpose.
    pub(crate) fn connection(self, purpose: &str) -> String {
        format!("{} {purpose}", self.program)
    }
}

/// The rows that a run of events changes: read once, changed in memory, written once.
///
/// Events of one aggregate come in their order. A row of one aggregate that knows the position of its last event can skip
/// events that it has, if the checkpoint was set back by hand.
pub trait ProjectionBatch: Send + Sized {
    /// Reads the rows that `events` may change. Events of aggregates that the projection does not read may be among them.
    fn load(
        transaction: &Transaction<'_>,
        events: &[RecordedEvent],
    ) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Decodes one event and applies it to the rows in memory. After an error the rows are unchanged.
    ///
    /// The outcome must not depend on the batch that the event is in. So this checks what has to hold after every event; a
    /// constraint of a table is checked after a whole batch.
    fn apply(&mut self, event: &RecordedEvent) -> Result<(), Inapplicable>;

    /// The collections whose rows [`store`](Self::store) will change, of those that readers keep copies of. Each gets a new
    /// version in the same transaction, so a copy is of one version. Too many names cost copies; a missing one shows old rows.
    fn changes(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Writes the changed rows. Rows and checkpoint are one transaction, so each event is stored once.
    fn store(self, transaction: &Transaction<'_>) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Why an event can't be applied to its row. The text is stored and logged, so it holds no data of the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Inapplicable(String);

impl Inapplicable {
    /// For this reason.
    pub fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }
}

impl From<DecodeError> for Inapplicable {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Unknown { .. } => Self(format!("{error}: this build does not know it")),
            DecodeError::Malformed { .. } => Self(error.to_string()),
        }
    }
}
