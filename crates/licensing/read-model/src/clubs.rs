//! Clubs as they are read. Public.

use serde::Serialize;

use crate::conditions::Conditions;
use crate::resource::{Column, Direction, Resource, Sort};

/// The clubs.
pub static CLUBS: Resource = Resource {
    name: "clubs",
    columns: &[
        Column::plain("club_id"),
        Column::plain("name"),
        Column::plain("created_at"),
        Column::plain("updated_at"),
        Column::plain("version"),
    ],
    sorts: &[Sort {
        name: "name",
        sql: r#"name collate "nb-x-icu""#,
    }],
    default_direction: Direction::Ascending,
    table: "clubs",
    key: "club_id",
};

/// Which clubs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClubFilter {
    /// Found by this in the name.
    pub q: Option<String>,
}

impl ClubFilter {
    /// The conditions of this filter.
    pub fn conditions(&self) -> Conditions {
        let mut all = Conditions::default();
        all.and_search("search like ?", self.q.as_deref());
        all
    }
}
