//! Orders: their table and their resource.

use chrono::{DateTime, NaiveDate, Utc};
use query::{Filter, Sort, Word, index};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;
use vocabulary::{OrderStatus, PaymentProvider, RefundState, Word as _};

use crate::checkpoint::PROJECTION;
use crate::shapes::{LineRefund, OrderLine, Payment};

query::resource! {
    /// A row of `orders`.
    row OrderRow;

    /// Orders, each with its lines. A customer sees their own, an organizer also those whose lines are all of their clubs,
    /// staff all.
    resource ORDERS = "orders" {
        schema: "Order",
        projection: PROJECTION,
        table: "orders",
        key: order_id,
        audience: Personal,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/orders.json"),
    }

    columns {
        order_id: Uuid, Shown, "Id of the order.";
        order_number: String, Shown, "Number a person can read aloud.";
        customer_id: Uuid, Shown, "User who placed the order.";
        status: Word<OrderStatus>, Shown, "Status of the order.";
        total_ore: i64, Shown, "Sum of the lines in øre, at the prices of the moment of ordering.";
        currency: String, Shown, "ISO 4217 code, NOK.";
        payment_provider: String, Internal, "Payment provider chosen by the customer, for example vipps.";
        payment_reference: Option<String>, Internal, "Our reference at the provider; null before the payment is created.";
        redirect_url: Option<String>, Internal, "Where the customer pays; null when there is nothing to pay.";
        lines: Json<Box<RawValue>> as Vec<OrderLine>, Shown, "What was ordered; personal data.";
        club_ids: Vec<Uuid>, Shown, "Distinct clubs of the lines; they decide what an organizer may see.";
        license_types: Vec<String>, Shown, "Distinct license type codes of the lines.";
        activity_from: NaiveDate, Shown, "Earliest activity date of the lines (local date).";
        activity_to: NaiveDate, Shown, "Last day of the last activity of the lines (local date).";
        activity_dates: Vec<NaiveDate>, Internal, "Each day of each line's activity, once, in order (local dates).";
        search: String, Internal, "What `q` searches; personal data.";
        captured_ore: i64, Internal, "What was collected in all, in øre.";
        refunded_ore: i64, Internal, "What of it was paid back, in øre.";
        written_off_ore: i64, Internal, "What of the total was given up, in øre.";
        capture_failure: Option<String>, Internal, "Why the money can not be collected, until that is decided.";
        refund_state: Option<Word<RefundState>>, Internal, "How far the money that has to go back is on its way; null if none has.";
        refunds: Json<Box<RawValue>> as Vec<LineRefund>, Shown, "Lines whose money goes back or went back, one by one.";
        paid_at: Option<DateTime<Utc>>, Shown, "When the payment was confirmed.";
        fulfilled_at: Option<DateTime<Utc>>, Shown, "When the last license was issued.";
        expires_at: Option<DateTime<Utc>>, Shown, "When an unpaid order gives up.";
        created_at: DateTime<Utc>, Shown, "When the order was placed.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the order was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the order.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {
        payment after currency: Payment = "json_build_object('provider', payment_provider, 'reference', payment_reference, \
            'redirect_url', redirect_url, 'captured_ore', captured_ore, 'refunded_ore', refunded_ore, \
            'written_off_ore', written_off_ore, 'capture_failure', capture_failure, 'refund_state', refund_state)", "The money.";
    }

    sorts {
        Sort::moment("created_at", "created_at", index("orders_by_created"));
        Sort::number("total_ore", "total_ore", index("orders_by_total"));
        Sort::date("activity_date", "activity_from", index("orders_by_activity"));
    }

    filters {
        Filter::word("status", OrderStatus::texts, "status = ?", index("orders_by_status"), "In this status.").along("created_at");
        Filter::word("refund_state", RefundState::texts, "refund_state = ?", index("orders_by_refund_state"), "With money that is so far on its way back.").along("created_at");
        Filter::uuid("club_id", "club_ids @> array[?]", index("orders_by_club"), "With a line for this club.");
        Filter::text("license_type", "license_types @> array[?]", index("orders_by_license_type"), "With a line of this license type.")
            .example("konkurranse-bilcross").uneven(&["total_ore", "-total_ore"]);
        Filter::word("provider", PaymentProvider::texts, "payment_provider = ?", index("orders_by_provider"), "Paid through this provider.").along("created_at");
        Filter::moment_from("created_from", "created_at >= ?", index("orders_by_created"), "Placed at this moment or later.").along("created_at").uneven(&["activity_date"]);
        Filter::moment_to("created_to", "created_at < ?", index("orders_by_created"), "Placed before this moment.").ends("created_from").along("created_at").uneven(&["-activity_date"]);
        Filter::date("activity_from", "activity_to >= ?", index("orders_by_last_day"), "With an activity on this day or later.").along("activity_date").uneven(&["created_at"]);
        // An order for the 1st and the 30th spans the 15th without having a line there.
        Filter::date("activity_to", "activity_from <= ?", index("orders_by_activity"), "With an activity on this day or earlier.")
            .ends("activity_from")
            .between("exists (select from unnest(activity_dates) as day where day between ? and ?)").along("activity_date").uneven(&["-created_at"]);
        Filter::amount("total_min_ore", "total_ore >= ?", index("orders_by_total"), "For this amount in øre or more.").along("total_ore");
        Filter::amount("total_max_ore", "total_ore <= ?", index("orders_by_total"), "For this amount in øre or less.").ends("total_min_ore").along("total_ore");
        Filter::uuid("customer_id", "customer_id = ?", index("orders_by_customer"), "Placed by this user.").along("created_at");
        Filter::search("search", index("orders_by_search"), "Found by this in number, holder, e-mail, phone or vehicle.");
    }
}
