//! What is added to `outline`: how many orders and licenses there are on each day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Error;
use tokio_postgres::types::{Json, Type};

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
struct Counter {
    list: &'static str,
    sort_key: &'static str,
    dimension: &'static str,
    value: String,
    day: NaiveDate,
    status: &'static str,
}

/// A row to add.
#[derive(Clone, Debug, Serialize)]
struct OutlineRow {
    #[serde(flatten)]
    counter: Counter,
    more: i64,
}

/// What a run of events adds.
#[derive(Clone, Default)]
pub(super) struct Outline(BTreeMap<Counter, i64>);

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
                let counter = Counter {
                    list: place.list,
                    sort_key,
                    dimension,
                    value: value.clone(),
                    day,
                    status: place.status,
                };
                *self.0.entry(counter).or_default() += more;
            }
        }
    }

    /// Adds it to the table. What came and went is in no row.
    pub(super) async fn store(self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let changed = self.0.into_iter().filter(|(_, more)| *more != 0);
        let rows: Vec<_> = changed
            .map(|(counter, more)| OutlineRow { counter, more })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        // Not prepared by name: the plan for a small table, which reads all of it, would be kept while a rebuild fills it.
        let statement = include_str!("sql/add_outline.sql");
        let rows = Json(rows);
        transaction
            .execute_typed(statement, &[(&rows, Type::JSON)])
            .await
            .map(|_| ())
    }
}
