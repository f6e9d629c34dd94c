//! What is added to `sales`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::orders::LineFacts;
use super::sums::Sums;

/// A row to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SalesRow {
    dimension: &'static str,
    day: NaiveDate,
    value: String,
    #[serde(flatten)]
    sums: Sums,
}

/// What a run of events adds, by dimension, day and value.
#[derive(Clone, Default)]
pub(super) struct Sales(BTreeMap<(&'static str, NaiveDate, String), Sums>);

impl Sales {
    /// Adds what each line is to all rows that the line belongs to, and `once` a single time to each of these rows.
    pub(super) fn add<'a>(
        &mut self,
        day: NaiveDate,
        provider: &str,
        once: Sums,
        lines: impl IntoIterator<Item = (&'a LineFacts, Sums)>,
    ) {
        let mut added = BTreeMap::new();
        for (line, sums) in lines {
            for (dimension, value) in [
                ("all", String::new()),
                ("club", line.club_id.to_string()),
                ("license_type", line.license_type.clone()),
                ("category", line.category.to_string()),
                ("provider", provider.to_owned()),
            ] {
                *added.entry((dimension, value)).or_insert(once) += sums;
            }
        }
        for ((dimension, value), sums) in added {
            *self.0.entry((dimension, day, value)).or_default() += sums;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_rows(self) -> Vec<SalesRow> {
        let rows = self.0.into_iter();
        rows.map(|((dimension, day, value), sums)| SalesRow {
            dimension,
            day,
            value,
            sums,
        })
        .collect()
    }
}
