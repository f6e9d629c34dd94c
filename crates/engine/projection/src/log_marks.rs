//! Which event the log holds at a position, and whether it still holds the event of a checkpoint.

use envelope::{Contradiction, LogPage, Mark, Position};
use event_store::{Error, Log};

/// Which event the log holds at a position; without a fingerprint if it holds none.
pub(crate) async fn at(log: &Log, position: Position) -> Result<Mark, Error> {
    let before = Position::new(position.get().saturating_sub(1));
    if position == before {
        return Ok(Mark::START);
    }
    let found = log.read_after(before, 1).await?;
    Ok(found.first().map_or(Mark::from(position), Mark::of))
}

/// The head of the log, and whether the log holds the event of the mark. The proof counts only if the epoch of the page is
/// the epoch of the mark.
pub(crate) async fn look(log: &Log, mark: Mark) -> Result<(LogPage, Result<(), Contradiction>), Error> {
    let (after, limit) = mark.reading(0);
    let mut page = log.read_page(after, limit).await?;
    let proof = mark.prove(&mut page);
    Ok((page, proof))
}
