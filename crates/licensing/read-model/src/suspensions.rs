//! Suspensions: their table and their resource.

use chrono::{DateTime, NaiveDate, Utc};
use query::{Filter, Sort, Word, index, small_table};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;
use vocabulary::{SuspensionKind, SuspensionStatus, Word as _};

use crate::checkpoint::PROJECTION;
use crate::shapes::Vehicle;

query::resource! {
    /// A row of `suspensions`.
    row SuspensionRow;

    /// Suspended people and vehicles. Only staff see them.
    resource SUSPENSIONS = "suspensions" {
        schema: "Suspension",
        projection: PROJECTION,
        table: "suspensions",
        key: suspension_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/suspensions.json"),
    }

    columns {
        suspension_id: Uuid, Shown, "Id of the suspension.";
        kind: Word<SuspensionKind>, Shown, "What is suspended.";
        status: Word<SuspensionStatus>, Shown, "Whether staff ended it. Expiry by date is not a status.";
        holder_id: Option<Uuid>, Shown, "Id of the person, equal to that of their licenses.";
        person_name: Option<String>, Shown, "Full name of the person; personal data.";
        person_birth_date: Option<NaiveDate>, Shown, "Birth date of the person; personal data.";
        vehicle: Option<Json<Box<RawValue>>> as Option<Vehicle>, Shown, "The vehicle; personal data.";
        reason: String, Shown, "Why, in the words of the person who decided; personal data.";
        until: Option<NaiveDate>, Shown, "Last day (local date in Europe/Oslo); null for one that lasts until it is lifted.";
        lifted_at: Option<DateTime<Utc>>, Shown, "When staff ended it.";
        lift_reason: Option<String>, Shown, "Why staff ended it; personal data.";
        search: String, Internal, "What `q` searches; personal data.";
        created_at: DateTime<Utc>, Shown, "When it was imposed.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the suspension was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the suspension.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {}

    sorts {
        Sort::moment("created_at", "created_at", index("suspensions_by_created"));
    }

    filters {
        Filter::word("status", SuspensionStatus::texts, "status = ?", small_table(), "In this status.");
        Filter::word("kind", SuspensionKind::texts, "kind = ?", small_table(), "Of this kind.");
        Filter::uuid("holder_id", "holder_id = ?", small_table(), "Of this person.");
        Filter::date(
            "in_force_on",
            "status = 'active' and (until is null or until >= ?)",
            small_table(),
            "Not lifted, and not ended before this day.",
        );
        Filter::moment_from("created_from", "created_at >= ?", index("suspensions_by_created"), "Imposed at this moment or later.");
        Filter::moment_to("created_to", "created_at < ?", index("suspensions_by_created"), "Imposed before this moment.").ends("created_from");
        Filter::search("search", small_table(), "Found by this in the person's name or the vehicle's numbers.");
    }
}
