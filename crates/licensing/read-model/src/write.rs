//! What the projector writes: whole rows, many at once, and the checkpoint that moves with them.
//!
//! Rows travel as one JSON array, so that a batch costs one round trip a table whatever its size. Every function runs
//! in the caller's transaction; none commits.

mod checkpoint;
mod head;
mod parked;

pub use checkpoint::{
    adopt_epoch, lock_checkpoint, mark_stale, move_checkpoint, note_fingerprint, notify_projected,
    prepare_to_move, start_checkpoint,
};
pub use head::{clock, see_head};
pub use parked::{
    Parked, ParkedAggregate, ParkedSummary, RETRIED, count_parked, explain_parked, list_untried, load_parked,
    notify_retried, park, parked_aggregates, release_parked, summarize_parked,
};
pub use query::table::{Row, copy, load, upsert};

pub use crate::clubs::ClubRow;
pub use crate::license_types::{LicenseTypeRow, Price};
pub use crate::licenses::LicenseRow;
pub use crate::orders::OrderRow;
