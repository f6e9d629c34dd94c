//! The catalogue as it is read. Public.

use serde::Serialize;

use crate::conditions::{Bind, Conditions};
use crate::resource::{Column, Direction, Resource, Sort};

/// The license types.
pub static LICENSE_TYPES: Resource = Resource {
    name: "license-types",
    columns: &[
        Column::plain("license_type_id"),
        Column::plain("code"),
        Column::plain("category"),
        Column::plain("discipline"),
        Column::plain("role"),
        Column::plain("name_nb"),
        Column::plain("name_en"),
        // Prices come into force by themselves, so today's is found when it is asked for.
        Column::computed(
            "price_ore",
            "(select ore
              from unnest(prices_ore, prices_valid_from) with ordinality as listed(ore, valid_from, place)
              where valid_from <= now()
              order by valid_from desc, place desc
              limit 1)",
        ),
        Column::plain("prices"),
        Column::plain("min_age"),
        Column::plain("max_age"),
        Column::plain("max_days"),
        Column::plain("status"),
        Column::plain("created_at"),
        Column::plain("updated_at"),
        Column::plain("version"),
    ],
    sorts: &[
        Sort {
            name: "code",
            sql: "code",
        },
        Sort {
            name: "name_nb",
            sql: r#"name_nb collate "nb-x-icu""#,
        },
    ],
    default_direction: Direction::Ascending,
    table: "license_types",
    key: "license_type_id",
};

/// The statuses a license type can have.
pub const LICENSE_TYPE_STATUSES: &[&str] = &["active", "retired"];

/// Which license types; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LicenseTypeFilter {
    /// Of this category.
    pub category: Option<String>,
    /// For this role.
    pub role: Option<String>,
    /// In this status.
    pub status: Option<String>,
    /// Found by this in code or names.
    pub q: Option<String>,
}

impl LicenseTypeFilter {
    /// The conditions of this filter.
    pub fn conditions(&self) -> Conditions {
        let mut all = Conditions::default();
        all.and_some("category = ?", self.category.clone().map(Bind::Text));
        all.and_some("role = ?", self.role.clone().map(Bind::Text));
        all.and_some("status = ?", self.status.clone().map(Bind::Text));
        all.and_search("search like ?", self.q.as_deref());
        all
    }
}
