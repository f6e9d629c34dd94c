//! Letters: their table and their resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, index};
use uuid::Uuid;
use vocabulary::{LetterFailure, LetterKind, LetterStatus, Word as _};

use crate::checkpoint::PROJECTION;

query::resource! {
    /// A row of `letters`.
    row LetterRow;

    /// E-mails about orders that were sent, refused or given up. Only staff see them.
    resource LETTERS = "letters" {
        schema: "Letter",
        projection: PROJECTION,
        table: "letters",
        key: letter_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/letters.json"),
    }

    columns {
        letter_id: Uuid, Shown, "Id of the letter; it follows from order, kind and receipt number.";
        order_id: Uuid, Shown, "Order that the letter is about.";
        order_number: String, Shown, "Number of that order.";
        kind: Word<LetterKind>, Shown, "What the letter brings.";
        receipt_number: Option<String>, Shown, "Number of the receipt or credit note that it brings.";
        status: Word<LetterStatus>, Shown, "What became of the letter.";
        failure: Option<Word<LetterFailure>>, Shown, "Why it could not be delivered.";
        recipient_id: Option<Uuid>, Shown, "Buyer or holder whom the letter is for; null if no address is known.";
        recipient: Option<String>, Shown, "E-mail address; personal data. Null if none is known, or the person is forgotten.";
        message_id: Option<String>, Shown, "Message-ID of the letter.";
        documents: i32, Shown, "How many documents were attached.";
        smtp_code: Option<i32>, Shown, "Reply code of the mail server that did not take it, for example 550.";
        enhanced_status: Option<String>, Shown, "Enhanced status code of that reply, for example 5.1.1.";
        created_at: DateTime<Utc>, Shown, "When the end of the letter was recorded.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the letter was recorded.";
        version: i64, Internal, "Sequence of that event in the letters of its order.";
        position: i64, Internal, "Log position of that event.";
    }

    computed {}

    sorts {
        Sort::moment("created_at", "created_at", index("letters_by_created"));
    }

    filters {
        Filter::uuid("order_id", "order_id = ?", index("letters_by_order"), "About this order.");
        Filter::word("status", LetterStatus::texts, "status = ?", index("letters_by_status"), "In this status.");
        Filter::word("kind", LetterKind::texts, "kind = ?", index("letters_by_kind"), "Of this kind.");
    }
}
