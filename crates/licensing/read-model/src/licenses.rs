//! Licenses as they are read.

use chrono::NaiveDate;
use serde::Serialize;
use uuid::Uuid;

use crate::Scope;
use crate::conditions::{Bind, Conditions};
use crate::resource::{Column, Direction, Resource, Sort};

/// The licenses.
pub static LICENSES: Resource = Resource {
    name: "licenses",
    columns: &[
        Column::plain("license_id"),
        Column::plain("order_id"),
        Column::plain("order_number"),
        Column::plain("line"),
        Column::plain("customer_id"),
        Column::plain("status"),
        Column::plain("license_type"),
        Column::plain("category"),
        Column::plain("discipline"),
        Column::plain("role"),
        Column::plain("name_nb"),
        Column::plain("name_en"),
        Column::plain("club_id"),
        Column::plain("club_name"),
        Column::plain("activity_date"),
        Column::plain("activity_days"),
        Column::computed(
            "holder",
            "jsonb_build_object('name', holder_name, 'birth_date', holder_birth_date, 'phone', holder_phone, \
             'email', holder_email, 'guardian', guardian)",
        ),
        Column::plain("vehicle"),
        Column::plain("price_ore"),
        Column::plain("issued_at"),
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
            name: "activity_date",
            sql: "activity_date",
        },
    ],
    default_direction: Direction::Descending,
    table: "licenses",
    key: "license_id",
};

/// The statuses a license can have.
pub const LICENSE_STATUSES: &[&str] = &["issued", "checked_in", "revoked", "suspended"];

/// What the holder of a license does.
pub const ROLES: &[&str] = &["driver", "codriver", "companion", "passenger"];

/// Which licenses; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LicenseFilter {
    /// This license.
    pub license_id: Option<Uuid>,
    /// Of this order.
    pub order_id: Option<Uuid>,
    /// In this status.
    pub status: Option<String>,
    /// For an activity of this club.
    pub club_id: Option<Uuid>,
    /// Of this type.
    pub license_type: Option<String>,
    /// Of this category.
    pub category: Option<String>,
    /// Of this discipline.
    pub discipline: Option<String>,
    /// For this role.
    pub role: Option<String>,
    /// Valid on this day or later.
    pub activity_from: Option<NaiveDate>,
    /// Valid on this day or earlier.
    pub activity_to: Option<NaiveDate>,
    /// Found by this in order number, holder, e-mail, phone or vehicle.
    pub q: Option<String>,
}

impl LicenseFilter {
    /// The conditions of this filter within what `scope` lets the reader see.
    pub fn within(&self, scope: &Scope) -> Conditions {
        let mut all = scope.of_licenses();
        all.and_some("license_id = ?", self.license_id.map(Bind::Uuid));
        all.and_some("order_id = ?", self.order_id.map(Bind::Uuid));
        all.and_some("status = ?", self.status.clone().map(Bind::Text));
        all.and_some("club_id = ?", self.club_id.map(Bind::Uuid));
        all.and_some("license_type = ?", self.license_type.clone().map(Bind::Text));
        all.and_some("category = ?", self.category.clone().map(Bind::Text));
        all.and_some("discipline = ?", self.discipline.clone().map(Bind::Text));
        all.and_some("role = ?", self.role.clone().map(Bind::Text));
        if let Some(from) = self.activity_from {
            // A license that began earlier can still be valid. The first bound is what the index can use: a check
            // constraint says that none lasts longer.
            all.and(
                "activity_date > ?::date - 31 and activity_date + activity_days > ?",
                [Bind::Date(from), Bind::Date(from)],
            );
        }
        all.and_some("activity_date <= ?", self.activity_to.map(Bind::Date));
        all.and_search("search like ?", self.q.as_deref());
        all
    }
}
