//! Orders as they are read.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::Scope;
use crate::conditions::{Bind, Conditions};
use crate::resource::{Column, Direction, Resource, Sort};

/// The orders.
pub static ORDERS: Resource = Resource {
    name: "orders",
    columns: &[
        Column::plain("order_id"),
        Column::plain("order_number"),
        Column::plain("customer_id"),
        Column::plain("status"),
        Column::plain("total_ore"),
        Column::plain("currency"),
        Column::computed(
            "payment",
            "jsonb_build_object('provider', payment_provider, 'reference', payment_reference, 'redirect_url', redirect_url, \
             'captured_ore', captured_ore, 'refunded_ore', refunded_ore, 'written_off_ore', written_off_ore, \
             'capture_failure', capture_failure)",
        ),
        Column::plain("lines"),
        Column::plain("club_ids"),
        Column::plain("license_types"),
        Column::plain("activity_from"),
        Column::plain("activity_to"),
        Column::plain("paid_at"),
        Column::plain("fulfilled_at"),
        Column::plain("expires_at"),
        Column::plain("created_at"),
        Column::plain("updated_at"),
        Column::plain("version"),
    ],
    sorts: &[
        Sort {
            name: "created_at",
            sql: "created_at",
        },
        Sort {
            name: "total_ore",
            sql: "total_ore",
        },
        Sort {
            name: "activity_date",
            sql: "activity_from",
        },
    ],
    default_direction: Direction::Descending,
    table: "orders",
    key: "order_id",
};

/// The statuses an order can have.
pub const ORDER_STATUSES: &[&str] = &[
    "placed",
    "payment_pending",
    "paid",
    "fulfilled",
    "capture_failed",
    "cancelled",
    "expired",
    "refund_pending",
    "refunded",
];

/// Which orders; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OrderFilter {
    /// This order.
    pub order_id: Option<Uuid>,
    /// In this status.
    pub status: Option<String>,
    /// With a line at this club.
    pub club_id: Option<Uuid>,
    /// With a line of this license type.
    pub license_type: Option<String>,
    /// Paid through this provider.
    pub provider: Option<String>,
    /// Placed at this moment or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Placed before this moment.
    pub created_before: Option<DateTime<Utc>>,
    /// With a line valid on this day or later (and, with `activity_to`, between the two).
    pub activity_from: Option<NaiveDate>,
    /// With a line valid on this day or earlier.
    pub activity_to: Option<NaiveDate>,
    /// Costing this or more, in øre.
    pub total_min_ore: Option<i64>,
    /// Costing this or less, in øre.
    pub total_max_ore: Option<i64>,
    /// Placed by this user.
    pub customer_id: Option<Uuid>,
    /// Found by this in number, holder, e-mail, phone or vehicle.
    pub q: Option<String>,
}

impl OrderFilter {
    /// The conditions of this filter within what `scope` lets the reader see.
    pub fn within(&self, scope: &Scope) -> Conditions {
        let mut all = scope.of_orders();
        all.and_some("order_id = ?", self.order_id.map(Bind::Uuid));
        all.and_some("status = ?", self.status.clone().map(Bind::Text));
        all.and_some("club_ids @> array[?]", self.club_id.map(Bind::Uuid));
        all.and_some(
            "license_types @> array[?]",
            self.license_type.clone().map(Bind::Text),
        );
        all.and_some("payment_provider = ?", self.provider.clone().map(Bind::Text));
        all.and_some("created_at >= ?", self.created_from.map(Bind::Timestamp));
        all.and_some("created_at < ?", self.created_before.map(Bind::Timestamp));
        all.and_some("total_ore >= ?", self.total_min_ore.map(Bind::Integer));
        all.and_some("total_ore <= ?", self.total_max_ore.map(Bind::Integer));
        all.and_some("customer_id = ?", self.customer_id.map(Bind::Uuid));
        all.and_some("activity_to >= ?", self.activity_from.map(Bind::Date));
        all.and_some("activity_from <= ?", self.activity_to.map(Bind::Date));
        if let (Some(from), Some(to)) = (self.activity_from, self.activity_to) {
            // An order for the 1st and the 30th spans the 15th without having a line there.
            all.and(
                "exists (select from unnest(activity_dates) as day where day between ? and ?)",
                [Bind::Date(from), Bind::Date(to)],
            );
        }
        all.and_search("search like ?", self.q.as_deref());
        all
    }
}
