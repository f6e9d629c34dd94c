//! Receipts: their table and their resource.

use chrono::{DateTime, NaiveDate, Utc};
use query::{Filter, Sort, Word, index};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;
use vocabulary::{ReceiptKind, Word as _};

use crate::checkpoint::PROJECTION;
use crate::shapes::ReceiptLine;

query::resource! {
    /// A row of `receipts`.
    row ReceiptRow;

    /// Receipts and credit notes. A customer sees those of their own orders, staff all.
    resource RECEIPTS = "receipts" {
        schema: "Receipt",
        projection: PROJECTION,
        table: "receipts",
        key: receipt_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/receipts.json"),
    }

    columns {
        receipt_id: Uuid, Shown, "Id of the receipt; it follows from year and number.";
        receipt_number: String, Shown, "Number in the series of its year.";
        year: i32, Shown, "Year of the series.";
        number: i64, Shown, "Place in the series, from 1, without a gap.";
        kind: Word<ReceiptKind>, Shown, "Receipt, or credit note.";
        corrects: Option<String>, Shown, "Number of the receipt that a credit note corrects.";
        order_id: Uuid, Shown, "Order.";
        order_number: String, Shown, "Number of that order.";
        customer_id: Uuid, Shown, "User who placed that order.";
        provider: String, Shown, "Payment provider.";
        payment_reference: String, Shown, "Reference of the payment at the provider.";
        lines: Json<Box<RawValue>> as Vec<ReceiptLine>, Shown, "What was sold or taken back.";
        gross_ore: i64, Shown, "Sum of the lines, tax included, in øre; above zero, also on a credit note.";
        tax_ore: i64, Shown, "Tax in it, in øre.";
        currency: String, Shown, "ISO 4217 code, NOK.";
        happened_on: NaiveDate, Shown, "Day in Norway on which the money moved.";
        happened_at: DateTime<Utc>, Shown, "When the money moved, by the log.";
        created_at: DateTime<Utc>, Shown, "When the number was given.";
        updated_at: DateTime<Utc>, Internal, "The same: a receipt never changes.";
        version: i64, Internal, "Sequence of the event in its series.";
        position: i64, Internal, "Log position of that event.";
    }

    computed {}

    sorts {
        Sort::moment("created_at", "created_at", index("receipts_by_created"));
        Sort::text("receipt_number", "receipt_number", index("receipts_by_number"));
    }

    filters {
        Filter::uuid("order_id", "order_id = ?", index("receipts_by_order"), "Of this order.").along("created_at");
        Filter::word("kind", ReceiptKind::texts, "kind = ?", index("receipts_by_kind"), "Receipts or credit notes.").along("created_at");
        Filter::text("receipt_number", "receipt_number = ?", index("receipts_by_number"), "With this number.").example("2026-000042");
        Filter::date("happened_from", "happened_on >= ?", index("receipts_by_day"), "Of this day or later.").uneven(&["created_at", "receipt_number"]);
        Filter::date("happened_to", "happened_on <= ?", index("receipts_by_day"), "Of this day or earlier.").ends("happened_from").uneven(&["-created_at", "-receipt_number"]);
        Filter::uuid("customer_id", "customer_id = ?", index("receipts_by_customer"), "Of this user's orders.").along("created_at");
    }
}
