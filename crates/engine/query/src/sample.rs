//! A resource for the unit tests.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::{Filter, Sort, index};

crate::resource! {
    /// A row of `notes`.
    #[derive(Debug, PartialEq)]
    row NoteRow;

    /// Notes.
    resource NOTES = "notes" {
        schema: "Note",
        projection: "samples",
        table: "notes",
        key: note_id,
        audience: Personal,
        default: Descending,
        example: r#"{"title": "Milk"}"#,
    }

    columns {
        note_id: Uuid, Shown, "Id of the note.";
        title: String, Shown, "What it is about.";
        day: Option<NaiveDate>, Shown, "The day it is for.";
        search: String, Internal, "What `q` searches.";
        created_at: DateTime<Utc>, Shown, "When it was written.";
        version: i64, Shown, "Sequence of the last applied event.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {
        length after title: i64 = "length(title)::int8", "Characters of the title.";
    }

    on_request {
        shout after title: String = "upper(title)", "The title in capitals.";
    }

    sorts {
        Sort::moment("created_at", "created_at", index("notes_by_created"));
        Sort::text("title", "title", index("notes_by_title"));
    }

    filters {
        Filter::uuid("note_id", "note_id = ?", index("notes_pkey"), "This note.");
        Filter::moment_from("from", "created_at >= ?", index("notes_by_created"), "Written at this moment or later.");
        Filter::moment_to("to", "created_at < ?", index("notes_by_created"), "Written before.").ends("from");
        Filter::date("first_day", "day >= ?", index("notes_by_day"), "For this day or later.");
        Filter::date("last_day", "day <= ?", index("notes_by_day"), "For this day or earlier.")
            .ends("first_day")
            .between("day between ? and ?");
        Filter::amount("least", "version >= ?", index("notes_by_version"), "Of this version or later.");
        Filter::amount("most", "version <= ?", index("notes_by_version"), "Of this version or earlier.").ends("least");
        Filter::search("search", index("notes_by_search"), "Found by this in the title.");
    }
}
