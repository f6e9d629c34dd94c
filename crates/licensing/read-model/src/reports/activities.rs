//! Activities: a club and a date, with the licenses for it.

use chrono::NaiveDate;
use query::{Filter, Sort, index, small_table};
use uuid::Uuid;

use super::PROJECTION;
use crate::shapes::ActivityLicenseType;

query::resource! {
    /// A row of `activities`.
    row ActivityRow;

    /// Activities: a club and a date, with the licenses for it. A license for several days counts on its first day. An
    /// organizer sees those of their clubs, staff all.
    resource ACTIVITIES = "activities" {
        schema: "Activity",
        projection: PROJECTION,
        table: "activities",
        key: activity_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../../schemas/openapi/examples/activities.json"),
    }

    columns {
        activity_id: Uuid, Shown, "Id of the activity; it follows from club and date.";
        club_id: Uuid, Shown, "Club that runs the activity.";
        activity_date: NaiveDate, Shown, "First day of the licenses (local date).";
        sold: i64, Shown, "Licenses that were sold and are not revoked.";
        complimentary: i64, Shown, "Licenses that staff gave and that are not revoked.";
        checked_in: i64, Shown, "Licenses whose holder was let in, revoked later or not.";
        revoked: i64, Shown, "Licenses that were revoked, refunded ones included.";
        version: i64, Internal, "How many events changed the row.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {
        club_name after club_id: Option<String> = "(select c.name from public.clubs c where c.club_id = activities.club_id)",
            "Name of the club today; null until it is known.";
        by_license_type after revoked: Vec<ActivityLicenseType> = "(select jsonb_agg(jsonb_build_object('license_type', t.license_type, \
            'sold', t.sold, 'complimentary', t.complimentary, 'checked_in', t.checked_in, 'revoked', t.revoked) order by t.license_type) \
            from activity_license_types t where t.activity_id = activities.activity_id)", "The same for each license type.";
    }

    sorts {
        Sort::date("activity_date", "activity_date", index("activities_by_date"));
    }

    filters {
        Filter::uuid("club_id", "club_id = ?", index("activities_by_club"), "Of this club.");
        Filter::date("activity_from", "activity_date >= ?", index("activities_by_date"), "On this day or later.");
        Filter::date("activity_to", "activity_date <= ?", index("activities_by_date"), "On this day or earlier.").ends("activity_from");
        // There are some hundred clubs, so their names are read, not searched by an index.
        Filter::search("(select c.search from public.clubs c where c.club_id = activities.club_id)", small_table(), "Found by this in the name of the club.");
    }
}

/// The id of the activity of a club on a date.
pub fn activity_id(club_id: Uuid, date: NaiveDate) -> Uuid {
    Uuid::new_v5(&club_id, date.to_string().as_bytes())
}
