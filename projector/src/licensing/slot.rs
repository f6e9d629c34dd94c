//! The place of one aggregate's row, which may not exist yet.

use envelope::{Position, RecordedEvent};

use crate::misfit::Misfit;

/// Sequence and position of an event, as the columns `version` and `position` hold them.
pub(super) fn stamp(recorded: &RecordedEvent) -> (i64, i64) {
    // A sequence is a `bigint` in the log, as a position is.
    (
        Position::new(recorded.sequence).to_sql(),
        recorded.position.to_sql(),
    )
}

/// The row of an aggregate's first event, which must not exist yet.
pub(super) fn create<R>(slot: &mut Option<R>, row: R) -> Result<(), Misfit> {
    if slot.is_some() {
        return Err(Misfit::RowExists);
    }
    *slot = Some(row);
    Ok(())
}
