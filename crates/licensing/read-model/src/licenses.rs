//! Licenses: their table and their resource.

use chrono::{DateTime, NaiveDate, Utc};
use query::{Filter, Sort, Word, index};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;
use vocabulary::{Category, LicenseStatus, Role, Standing, Word as _};

use crate::checkpoint::PROJECTION;
use crate::shapes::{Guardian, Holder, Vehicle};

query::resource! {
    /// A row of `licenses`.
    row LicenseRow;

    /// Issued licenses. A customer sees their own, an organizer also those for their clubs, staff all.
    resource LICENSES = "licenses" {
        schema: "License",
        projection: PROJECTION,
        table: "licenses",
        key: license_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/licenses.json"),
    }

    columns {
        license_id: Uuid, Shown, "Id of the license.";
        order_id: Uuid, Shown, "Order that paid for it.";
        order_number: Option<String>, Shown, "Number of that order, when known.";
        line: i32, Shown, "Line of that order.";
        customer_id: Uuid, Shown, "User who placed that order.";
        status: Word<LicenseStatus>, Shown, "Status of the license. Expiry by date is not a status.";
        license_type: String, Shown, "Code of the license type.";
        category: Word<Category>, Shown, "Category of the license type.";
        discipline: String, Shown, "Discipline of the license type.";
        role: Word<Role>, Shown, "What the holder does.";
        name_nb: String, Shown, "Name of the license type in Norwegian, as sold.";
        name_en: String, Shown, "Name of the license type in English, as sold.";
        club_id: Uuid, Shown, "Club that runs the activity.";
        club_name: String, Shown, "Name of that club, as sold.";
        activity_date: NaiveDate, Shown, "First day it is valid (local date in Europe/Oslo).";
        activity_days: i32, Shown, "Number of consecutive days it is valid.";
        holder_id: Option<Uuid>, Shown, "Id of the holder, equal for all licenses of one person; null for licenses that are older than it.";
        holder_name: String, Internal, "Full name of the holder; personal data.";
        holder_birth_date: NaiveDate, Internal, "Birth date of the holder; personal data.";
        holder_phone: Option<String>, Internal, "Phone of the holder; personal data.";
        holder_email: Option<String>, Internal, "E-mail of the holder; personal data.";
        guardian: Option<Json<Box<RawValue>>> as Option<Guardian>, Internal, "Guardian of a minor; personal data.";
        vehicle: Option<Json<Box<RawValue>>> as Option<Vehicle>, Shown, "Vehicle of a driver; personal data.";
        price_ore: i64, Shown, "Price paid in øre.";
        search: String, Internal, "What `q` searches; personal data.";
        issued_at: DateTime<Utc>, Shown, "When it was issued.";
        revoked_at: Option<DateTime<Utc>>, Shown, "When it was revoked, if it was.";
        holder_erased_at: Option<DateTime<Utc>>, Shown, "When the holder was forgotten; the license then names nobody.";
        revocation_position: Option<i64>, Internal, "Log position of the last event since it was revoked or suspended first.";
        suspended_at: Option<DateTime<Utc>>, Shown, "When it was suspended, while it is.";
        corrected_at: Option<DateTime<Utc>>, Shown, "When holder or vehicle were corrected last.";
        checked_in_at: Option<DateTime<Utc>>, Shown, "When the holder was let in, by the first scan in the log.";
        checked_in_gate: Option<String>, Shown, "At which gate.";
        earliest_scan_at: Option<DateTime<Utc>>, Shown, "When the holder was let in, by the scan with the earliest time.";
        earliest_scan_gate: Option<String>, Shown, "At which gate.";
        scan_count: i32, Shown, "Number of recorded scans. More than one is for people to look at.";
        scan_alert: Option<Word<Standing>>, Shown, "`after_revocation` or `while_suspended`, if the holder was let in nevertheless.";
        created_at: DateTime<Utc>, Shown, "When the first event of the license was recorded.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the license was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the license.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {
        holder after activity_days: Holder = "json_build_object('name', holder_name, 'birth_date', holder_birth_date, \
            'phone', holder_phone, 'email', holder_email, 'guardian', guardian)", "Who may use it; personal data.";
    }

    on_request {
        qr after vehicle: Option<String> = "case when status <> 'revoked' and holder_erased_at is null then jsonb_build_object('license_id', license_id, \
            'license_type', license_type, 'club_id', club_id, 'activity_date', activity_date, \
            'activity_days', activity_days, 'name', holder_name, 'birth_date', holder_birth_date, 'vehicle', vehicle) end",
            "The text of its QR code: signed, personal data. Null for a license that is revoked or whose holder is forgotten.";
    }

    sorts {
        Sort::moment("created_at", "created_at", index("licenses_by_created"));
        Sort::date("activity_date", "activity_date", index("licenses_by_activity"));
        Sort::number("position", "position", index("licenses_by_position"));
    }

    filters {
        Filter::uuid("order_id", "order_id = ?", index("licenses_by_order"), "Of this order.");
        Filter::word("status", LicenseStatus::texts, "status = ?", index("licenses_by_status"), "In this status.").along("created_at");
        Filter::word(
            "checked_in",
            || vec!["true", "false"],
            "case when checked_in_at is null then 'false' else 'true' end = ?",
            index("licenses_by_checked_in"),
            "Whether the holder was let in.",
        ).along("created_at");
        Filter::uuid("holder_id", "holder_id = ?", index("licenses_by_holder"), "Of this holder.").along("created_at");
        Filter::uuid("club_id", "club_id = ?", index("licenses_by_club"), "For an activity of this club.").along("activity_date");
        Filter::text("license_type", "license_type = ?", index("licenses_by_license_type"), "Of this license type.")
            .example("konkurranse-bilcross").along("created_at");
        Filter::word("category", Category::texts, "category = ?", index("licenses_by_category"), "Of this category.").along("created_at");
        Filter::text("discipline", "discipline = ?", index("licenses_by_discipline"), "Of this discipline.").example("bilcross").along("created_at");
        Filter::word("role", Role::texts, "role = ?", index("licenses_by_role"), "For this role.").along("created_at");
        // A license that began earlier can still be valid. The first bound is what the index can use: a check constraint
        // says that none lasts longer.
        Filter::date(
            "activity_from",
            "activity_date > ?::date - 31 and activity_date + activity_days > ?",
            index("licenses_by_activity"),
            "Valid on this day or later.",
        ).along("activity_date").uneven(&["created_at", "position"]);
        Filter::date("activity_to", "activity_date <= ?", index("licenses_by_activity"), "Valid on this day or earlier.").ends("activity_from").along("activity_date").uneven(&["-created_at", "position"]);
        // Rows are never deleted: one that was revoked or forgotten says so.
        Filter::amount("changed_since", "position > ?", index("licenses_by_position"), "Changed after this log position, in the order of their last change. `position` of the last page is the next `changed_since`.")
            .sorted_by("position").along("position");
        Filter::search("search", index("licenses_by_search"), "Found by this in order number, holder, e-mail, phone or vehicle.");
    }
}
