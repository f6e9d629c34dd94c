//! Users: their table and their resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, index};
use uuid::Uuid;
use vocabulary::{Language, UserRole, Word as _};

use crate::checkpoint::PROJECTION;

query::resource! {
    /// A row of `users`.
    row UserRow;

    /// Users who have said how to reach them, or of whom an administrator has said what they may do. Staff see all, everyone
    /// sees themselves.
    resource USERS = "users" {
        schema: "User",
        projection: PROJECTION,
        table: "users",
        key: user_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/users.json"),
    }

    columns {
        user_id: Uuid, Shown, "Id of the user.";
        name: Option<String>, Shown, "Full name; personal data.";
        email: Option<String>, Shown, "E-mail address; personal data.";
        phone: Option<String>, Shown, "Phone; personal data.";
        language: Option<Word<Language>>, Shown, "Language of letters.";
        roles: Option<Vec<String>>, Shown, "Roles that an administrator has given; null while those of the user's tokens count.";
        club_ids: Vec<Uuid>, Shown, "Clubs that an organizer acts for, as an administrator has said.";
        sessions_revoked_at: Option<DateTime<Utc>>, Shown, "Tokens from before this moment are not accepted; null if none was revoked.";
        search: String, Internal, "What `q` searches; personal data.";
        created_at: DateTime<Utc>, Shown, "When the first event of the user was recorded.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the user was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the user.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {}

    sorts {
        Sort::moment("created_at", "created_at", index("users_by_created"));
    }

    filters {
        Filter::word("role", UserRole::texts, "roles @> array[?]", index("users_by_role"), "With this role, as an administrator has said.");
        Filter::moment_from("created_from", "created_at >= ?", index("users_by_created"), "Known since this moment or later.").along("created_at");
        Filter::search("search", index("users_by_search"), "Found by this in name, e-mail or phone.");
    }
}
