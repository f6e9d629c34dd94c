//! The projection `licensing`: what each event does to which row, without I/O.

mod batch;

mod clubs;
mod license_types;
mod licenses;
mod orders;

mod bounds;
mod facts;

pub use batch::ProjectionBatch;

use envelope::{Position, RecordedEvent};
use events::aggregate_type;

/// Whether the projection reads the events of this kind of aggregate. Those of another kind change no row, whatever they
/// are; one of these that a build does not know might.
pub fn reads(aggregate_type: &str) -> bool {
    READ.contains(&aggregate_type)
}

const READ: [&str; 4] = [
    aggregate_type::ORDER,
    aggregate_type::LICENSE,
    aggregate_type::LICENSE_TYPE,
    aggregate_type::CLUB,
];

/// Why an event does not fit the row it is for. Without row data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The aggregate's first event never came.
    #[error("there is no row for its aggregate")]
    NoRow,
    /// The aggregate's first event came a second time.
    #[error("there is a row for its aggregate already")]
    RowExists,
    /// An order without lines has no activity days.
    #[error("the order has no lines")]
    NoLines,
    /// A day, a moment or a number that no answer can say.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A text that no index can hold.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text with U+0000, which the database can't hold.
    #[error("a text holds U+0000")]
    Nul,
}

/// Sequence and position of an event, as the columns `version` and `position` hold them.
fn stamp(recorded: &RecordedEvent) -> (i64, i64) {
    // A sequence is a `bigint` in the log, as a position is.
    (
        Position::new(recorded.sequence).to_sql(),
        recorded.position.to_sql(),
    )
}

/// The row of an aggregate's first event, which must not exist yet.
fn create<R>(slot: &mut Option<R>, row: R) -> Result<(), Misfit> {
    if slot.is_some() {
        return Err(Misfit::RowExists);
    }
    *slot = Some(row);
    Ok(())
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
