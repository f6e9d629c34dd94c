//! `batches`, and `batch_items`: a row for each item that is done or refused.

use envelope::RecordedEvent;
use events::{BatchEvent, BatchItemsDone, BatchSubmitted, ItemField, ItemOutcome, ItemResult};
use read_model::BatchStatus;
use read_model::write::{BatchItemRow, BatchRow};

use super::facts;
use super::slot::{create, stamp};
use crate::bounds;
use crate::misfit::Misfit;

/// The most wrong fields of an item; those who record them keep to fewer.
const MAX_FIELDS: usize = 100;

/// Changes the batch's row, and gives the rows of the items that the event tells of.
pub(super) fn apply(
    slot: &mut Option<BatchRow>,
    recorded: &RecordedEvent,
    event: BatchEvent,
) -> Result<Vec<BatchItemRow>, Misfit> {
    match event {
        BatchEvent::BatchSubmitted(submitted) => {
            create(slot, row(recorded, &submitted)?)?;
            Ok(Vec::new())
        }
        BatchEvent::BatchItemsDone(done) => items_done(slot.as_mut().ok_or(Misfit::NoRow)?, recorded, done),
    }
}

fn row(recorded: &RecordedEvent, submitted: &BatchSubmitted) -> Result<BatchRow, Misfit> {
    let (version, position) = stamp(recorded);
    if submitted.total == 0 {
        return Err(Misfit::OutOfRange("total"));
    }
    Ok(BatchRow {
        batch_id: recorded.aggregate_id,
        kind: submitted.kind.into(),
        dry_run: submitted.dry_run,
        status: BatchStatus::Running.into(),
        total: submitted.total.into(),
        succeeded: 0,
        failed: 0,
        submitted_by: recorded.metadata.actor.clone(),
        submitted_at: recorded.recorded_at,
        finished_at: None,
        version,
        position,
    })
}

fn items_done(
    row: &mut BatchRow,
    recorded: &RecordedEvent,
    done: BatchItemsDone,
) -> Result<Vec<BatchItemRow>, Misfit> {
    let before = row.succeeded + row.failed;
    if i64::from(done.first) != before + 1 {
        return Err(Misfit::ItemsOutOfOrder);
    }
    let after = before.saturating_add(count(done.results.len()));
    if after > row.total {
        return Err(Misfit::OutOfRange("results"));
    }
    let numbered = (before + 1..).zip(done.results);
    let items = numbered.map(|(n, result)| item(recorded, n, result));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    let failed = items.iter().filter(|item| item.outcome.0 == ItemOutcome::Failed);
    row.failed += count(failed.count());
    row.succeeded = after - row.failed;
    if after == row.total {
        row.status = BatchStatus::Done.into();
        row.finished_at = Some(recorded.recorded_at);
    }
    (row.version, row.position) = stamp(recorded);
    Ok(items)
}

fn item(recorded: &RecordedEvent, n: i64, result: ItemResult) -> Result<BatchItemRow, Misfit> {
    let (version, position) = stamp(recorded);
    let ItemResult {
        outcome,
        target,
        code,
        fields,
    } = result;
    bounds::indexed(target.as_deref().unwrap_or_default(), "target")?;
    bounds::indexed(code.as_deref().unwrap_or_default(), "code")?;
    if fields.len() > MAX_FIELDS {
        return Err(Misfit::OutOfRange("fields"));
    }
    for ItemField { pointer, code } in &fields {
        bounds::indexed(pointer, "pointer")?;
        bounds::indexed(code, "code")?;
    }
    Ok(BatchItemRow {
        item_id: BatchItemRow::id_at(position, n),
        batch_id: recorded.aggregate_id,
        n,
        outcome: outcome.into(),
        target,
        code,
        fields: facts::column(&fields),
        version,
        position,
    })
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
