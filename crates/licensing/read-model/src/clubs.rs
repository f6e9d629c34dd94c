//! Clubs: their table and their resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, index, small_table};
use uuid::Uuid;
use vocabulary::{ClubStatus, Word as _};

use crate::checkpoint::PROJECTION;

query::resource! {
    /// A row of `clubs`.
    #[derive(PartialEq)]
    row ClubRow;

    /// Affiliated clubs.
    resource CLUBS = "clubs" {
        schema: "Club",
        projection: PROJECTION,
        table: "clubs",
        key: club_id,
        audience: Public,
        default: Ascending,
        example: include_str!("../../../../schemas/openapi/examples/clubs.json"),
    }

    columns {
        club_id: Uuid, Shown, "Id of the club.";
        name: String, Shown, "Name of the club.";
        status: Word<ClubStatus>, Shown, "Whether it organizes activities.";
        search: String, Internal, "What `q` searches.";
        created_at: DateTime<Utc>, Shown, "When the club was added.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the club was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the club.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {}

    sorts {
        Sort::text("name", r#"name collate "nb-x-icu""#, index("clubs_by_name"));
    }

    filters {
        Filter::word("status", ClubStatus::texts, "status = ?", small_table(), "In this status.");
        Filter::search("search", small_table(), "Found by this in the name.");
    }
}
