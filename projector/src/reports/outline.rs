//! What is added to `outline`: how many orders and licenses there are on each day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

/// Where an order or a license is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The list that it is in.
    pub(super) list: &'static str,
    /// The days of its sort keys.
    pub(super) days: [(&'static str, NaiveDate); 2],
    pub(super) status: &'static str,
    /// The filters that it satisfies, each once, with what they ask for.
    pub(super) filters: BTreeSet<(&'static str, String)>,
}

/// A row of `outline`, but for the count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Key {
    list: &'static str,
    sort_key: &'static str,
    dimension: &'static str,
    value: String,
    day: NaiveDate,
    status: &'static str,
}

/// A row to add.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OutlineRow {
    #[serde(flatten)]
    key: Key,
    more: i64,
}

/// What a run of events adds.
#[derive(Clone, Default)]
pub(super) struct Outline(BTreeMap<Key, i64>);

impl Outline {
    /// Adds what is counted at `after` instead of at `before`.
    pub(super) fn change(&mut self, before: Option<&Place>, after: &Place) {
        if before == Some(after) {
            return;
        }
        if let Some(before) = before {
            self.add(before, -1);
        }
        self.add(after, 1);
    }

    fn add(&mut self, place: &Place, more: i64) {
        let all = ("all", String::new());
        for (sort_key, day) in place.days {
            for (dimension, value) in std::iter::once(&all).chain(&place.filters) {
                let key = Key {
                    list: place.list,
                    sort_key,
                    dimension,
                    value: value.clone(),
                    day,
                    status: place.status,
                };
                *self.0.entry(key).or_default() += more;
            }
        }
    }

    /// The rows that change. What came and went is in none.
    pub(super) fn into_rows(self) -> Vec<OutlineRow> {
        let rows = self.0.into_iter().filter(|(_, more)| *more != 0);
        rows.map(|(key, more)| OutlineRow { key, more }).collect()
    }
}
