//! Batches: their table and their resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, index, small_table};
use uuid::Uuid;
use vocabulary::{BatchKind, BatchStatus, Word as _};

use crate::checkpoint::PROJECTION;

query::resource! {
    /// A row of `batches`.
    row BatchRow;

    /// Batches: many commands of one kind, each judged by itself. Only staff see them.
    resource BATCHES = "batches" {
        schema: "Batch",
        projection: PROJECTION,
        table: "batches",
        key: batch_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/batches.json"),
    }

    columns {
        batch_id: Uuid, Shown, "Id of the batch.";
        kind: Word<BatchKind>, Shown, "What its items are.";
        dry_run: bool, Shown, "Whether the items are only judged, and nothing of them is done.";
        status: Word<BatchStatus>, Shown, "Whether all items are done or refused.";
        total: i64, Shown, "Number of items.";
        succeeded: i64, Shown, "Number of items that are done; in a dry run, that would have been.";
        failed: i64, Shown, "Number of items that were refused.";
        submitted_by: Option<String>, Shown, "Id of the user who submitted it, or the process.";
        submitted_at: DateTime<Utc>, Shown, "When all items were received.";
        finished_at: Option<DateTime<Utc>>, Shown, "When the last item was done or refused; null while it runs.";
        version: i64, Shown, "Sequence of the last applied event of the batch.";
        position: i64, Shown, "Log position of the last event that changed the batch.";
    }

    computed {}

    sorts {
        Sort::moment("submitted_at", "submitted_at", index("batches_by_submitted"));
    }

    filters {
        Filter::word("kind", BatchKind::texts, "kind = ?", small_table(), "With items of this kind.");
        Filter::word("status", BatchStatus::texts, "status = ?", small_table(), "In this status.");
    }
}
