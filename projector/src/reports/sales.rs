//! What is added to `sales`.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Oslo;
use serde::Serialize;

use super::orders::LineFacts;
use crate::bounds;
use crate::misfit::Misfit;

/// What is added to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sums {
    pub(super) orders: i64,
    pub(super) licenses: i64,
    pub(super) receipts: i64,
    pub(super) credit_notes: i64,
    pub(super) gross_ore: i64,
    pub(super) refunded_ore: i64,
    pub(super) tax_ore: i64,
}

impl Sums {
    pub(super) const NONE: Self = Self {
        orders: 0,
        licenses: 0,
        receipts: 0,
        credit_notes: 0,
        gross_ore: 0,
        refunded_ore: 0,
        tax_ore: 0,
    };
}

impl AddAssign for Sums {
    /// A sum beyond the largest number becomes that number, and the table refuses to add it.
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.orders, other.orders),
            (&mut self.licenses, other.licenses),
            (&mut self.receipts, other.receipts),
            (&mut self.credit_notes, other.credit_notes),
            (&mut self.gross_ore, other.gross_ore),
            (&mut self.refunded_ore, other.refunded_ore),
            (&mut self.tax_ore, other.tax_ore),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

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

/// The day in Norway on which something was recorded.
pub(super) fn day_in_norway(recorded_at: DateTime<Utc>) -> Result<NaiveDate, Misfit> {
    bounds::day(recorded_at.with_timezone(&Oslo).date_naive(), "recorded_at")
}
