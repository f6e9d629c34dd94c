//! What became of the items of a batch: their table and their resource.

use query::{Filter, Sort, Word, index};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;
use vocabulary::{ItemOutcome, Word as _};

use crate::checkpoint::PROJECTION;
use crate::shapes::BatchItemField;

query::resource! {
    /// A row of `batch_items`.
    row BatchItemRow;

    /// What became of each item of a batch, in the order of the items. Only staff see them.
    resource BATCH_ITEMS = "batch-results" {
        schema: "BatchResult",
        projection: PROJECTION,
        table: "batch_items",
        key: item_id,
        audience: Personal,
        default: Ascending,
        example: include_str!("../../../../schemas/openapi/examples/batch_results.json"),
    }

    columns {
        item_id: Uuid, Internal, "Id of the row.";
        batch_id: Uuid, Internal, "The batch.";
        n: i64, Shown, "Number of the item in its batch, from 1.";
        outcome: Word<ItemOutcome>, Shown, "Whether it is done; in a dry run, whether it would have been.";
        target: Option<String>, Shown, "What it is about: the id of a license, club or suspension, or the code of a license type.";
        code: Option<String>, Shown, "The code of the problem, if it was refused; `duplicate`, `after_revocation` or `unknown_license`, if it is a scan that was not the first.";
        fields: Json<Box<RawValue>> as Vec<BatchItemField>, Shown, "Which of its fields are wrong, if it was refused because of some.";
        version: i64, Internal, "Sequence of the event in its batch.";
        position: i64, Internal, "Log position of that event.";
    }

    computed {}

    sorts {
        Sort::number("n", "n", index("batch_items_by_number"));
    }

    filters {
        Filter::uuid("batch_id", "batch_id = ?", index("batch_items_by_number"), "Id of the batch.");
        Filter::word("outcome", ItemOutcome::texts, "outcome = ?", index("batch_items_by_number"), "Done, or refused.");
    }
}

impl BatchItemRow {
    /// The id of the row of an item that the event at this position tells of: rows of one event are neighbours.
    pub fn id_at(position: i64, n: i64) -> Uuid {
        Uuid::from_u64_pair(position.unsigned_abs(), n.unsigned_abs())
    }
}
