//! Which event a checkpoint is at, and whether the log still holds it.

use envelope::{Contradiction, Fingerprint, LogPage, Mark, Position};
use event_store::{Error, Log};
use read_model::checkpoint::CheckpointState;

/// Where the rows stand, and at which event if that is known.
pub(crate) fn of(standing: &CheckpointState) -> Mark {
    let fingerprint = standing.fingerprint.as_deref();
    Mark {
        position: Position::new(standing.checkpoint.position),
        fingerprint: fingerprint.and_then(Fingerprint::from_bytes),
    }
}

/// Which event the log holds at a position; without a fingerprint if it holds none.
pub(crate) async fn at(log: &Log, position: Position) -> Result<Mark, Error> {
    let before = Position::new(position.get().saturating_sub(1));
    if position == before {
        return Ok(Mark::START);
    }
    let found = log.read_after(before, 1).await?;
    Ok(found.first().map_or(Mark::from(position), Mark::of))
}

/// The log as it is now, and whether it holds the event of the mark; that counts only if its epoch is the mark's.
pub(crate) async fn look(log: &Log, mark: Mark) -> Result<(LogPage, Result<(), Contradiction>), Error> {
    let (after, limit) = mark.reading(0);
    let mut page = log.read_page(after, limit).await?;
    let proof = mark.prove(&mut page);
    Ok((page, proof))
}
