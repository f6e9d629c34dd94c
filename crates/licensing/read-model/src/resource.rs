//! What can be asked of a table: its columns, its sorts, its key.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::Error;
use crate::conditions::Bind;

/// A table as readers see it. All SQL in it is constant.
#[derive(Debug)]
pub struct Resource {
    /// Name in paths, cursors and metrics, for example `orders`.
    pub name: &'static str,
    /// Every column that can be asked for, in the order in which it is shown.
    pub columns: &'static [Column],
    /// Every sort that can be asked for; the first is the default.
    pub sorts: &'static [Sort],
    /// The direction of the default sort.
    pub default_direction: Direction,
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
}

impl Resource {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The sort of that name.
    pub fn sort(&self, name: &str) -> Option<&'static Sort> {
        self.sorts.iter().find(|sort| sort.name == name)
    }
}

/// A column that can be asked for.
#[derive(Debug)]
pub struct Column {
    /// Name in answers and in `fields`.
    pub name: &'static str,
    pub(crate) sql: &'static str,
}

impl Column {
    /// A column shown under its own name.
    pub(crate) const fn plain(name: &'static str) -> Self {
        Self { name, sql: name }
    }

    /// An expression shown under a name.
    pub(crate) const fn computed(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }
}

/// A sort key. Never null, and always followed by the table's key, so that the order is total.
#[derive(Debug)]
pub struct Sort {
    /// Name in `sort`.
    pub name: &'static str,
    pub(crate) sql: &'static str,
}

/// Which way a page goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where a page ended: the sort key and key of its last row. The next page starts after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePosition {
    /// Value of the sort key.
    pub sort: SortValue,
    /// Key of the row.
    pub id: Uuid,
}

/// The value of a sort key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortValue {
    /// Of a date column.
    Date(NaiveDate),
    /// Of an integer column.
    Integer(i64),
    /// Of a text column.
    Text(String),
    /// Of a timestamp column; Postgres holds microseconds, and so does this.
    Timestamp(DateTime<Utc>),
}

impl SortValue {
    pub(crate) fn read(row: &Row, index: usize, sort: &'static Sort) -> Result<Self, Error> {
        let found = row.columns()[index].type_();
        Ok(match *found {
            Type::DATE => Self::Date(row.try_get(index)?),
            Type::INT8 => Self::Integer(row.try_get(index)?),
            Type::TEXT => Self::Text(row.try_get(index)?),
            Type::TIMESTAMPTZ => Self::Timestamp(row.try_get(index)?),
            _ => {
                return Err(Error::ColumnType {
                    column: sort.name,
                    found: found.to_string(),
                });
            }
        })
    }

    pub(crate) fn bind(&self) -> Bind {
        match self {
            Self::Date(value) => Bind::Date(*value),
            Self::Integer(value) => Bind::Integer(*value),
            Self::Text(value) => Bind::Text(value.clone()),
            Self::Timestamp(value) => Bind::Timestamp(*value),
        }
    }
}
