//! A resource: what can be asked of a table, declared once with [`resource!`](crate::resource!).

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::column::{Column, Visibility};
use crate::conditions::Bind;
use crate::error::Error;
use crate::filter::Filter;
use crate::served::Served;

/// A table as readers see it. All SQL in it is constant.
#[derive(Debug)]
pub struct Resource {
    /// Name in paths, cursors and metrics, in the plural.
    pub name: &'static str,
    /// Name of one of them in OpenAPI.
    pub schema: &'static str,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// The projection that its rows belong to.
    pub projection: &'static str,
    /// The table.
    pub table: &'static str,
    /// The column that is the table's primary key, a UUID.
    pub key: &'static str,
    /// Who its rows are for.
    pub audience: Audience,
    /// Every column of the table.
    pub columns: &'static [Column],
    /// Every expression that is shown like a column.
    pub computed: &'static [Column],
    /// Every sort that can be asked for; the first is the default.
    pub sorts: &'static [Sort],
    /// The direction of the default sort.
    pub default_direction: Direction,
    /// A row as JSON, for the documentation.
    pub example: &'static str,
    /// Every filter that can be asked for.
    pub filters: &'static [Filter],
}

/// Who the rows of a resource are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone: caches may keep and share an answer.
    Public,
    /// Those who may see the row: no cache keeps an answer.
    Personal,
}

impl Resource {
    /// Every column that can be asked for, in the order in which it is shown.
    pub fn shown(&'static self) -> impl Iterator<Item = &'static Column> {
        let stored = self.columns.iter().flat_map(|column| {
            let computed = self
                .computed
                .iter()
                .filter(|computed| computed.after == Some(column.name));
            std::iter::once(column).chain(computed)
        });
        stored.filter(|column| column.visibility != Visibility::Internal)
    }

    /// Every column that is there without `fields`.
    pub fn selected(&'static self) -> impl Iterator<Item = &'static Column> {
        self.shown()
            .filter(|column| column.visibility == Visibility::Shown)
    }

    /// The column of that name, if it can be asked for.
    pub fn column(&'static self, name: &str) -> Option<&'static Column> {
        self.shown().find(|column| column.name == name)
    }

    /// The sort of that name.
    pub fn sort(&'static self, name: &str) -> Option<&'static Sort> {
        self.sorts.iter().find(|sort| sort.name == name)
    }
}

/// A sort key. Never null, and always followed by the table's key, so that the order is total.
#[derive(Debug)]
pub struct Sort {
    /// Name in `sort`.
    pub name: &'static str,
    /// The index that has this order.
    pub served: Served,
    pub(crate) kind: SortKind,
    pub(crate) sql: &'static str,
}

/// The type of a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKind {
    /// A day.
    Date,
    /// A whole number.
    Number,
    /// A moment.
    Moment,
    /// A text.
    Text,
}

impl Sort {
    const fn new(name: &'static str, kind: SortKind, sql: &'static str, served: Served) -> Self {
        Self {
            name,
            served,
            kind,
            sql,
        }
    }

    /// Whether each of its keys belongs to a day.
    pub fn has_days(&self) -> bool {
        matches!(self.kind, SortKind::Date | SortKind::Moment)
    }

    /// A sort by an expression that is a day, in the order of that index.
    pub const fn date(name: &'static str, sql: &'static str, served: Served) -> Self {
        Self::new(name, SortKind::Date, sql, served)
    }

    /// A sort by an expression that is a whole number.
    pub const fn number(name: &'static str, sql: &'static str, served: Served) -> Self {
        Self::new(name, SortKind::Number, sql, served)
    }

    /// A sort by an expression that is a moment.
    pub const fn moment(name: &'static str, sql: &'static str, served: Served) -> Self {
        Self::new(name, SortKind::Moment, sql, served)
    }

    /// A sort by an expression that is a text.
    pub const fn text(name: &'static str, sql: &'static str, served: Served) -> Self {
        Self::new(name, SortKind::Text, sql, served)
    }
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

/// Where a row stands in a list: its sort key and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePosition {
    /// Value of the sort key.
    pub sort: SortValue,
    /// Key of the row.
    pub id: Uuid,
}

/// Where a page begins or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The place of a row, whether or not the row is still there.
    pub place: PagePosition,
    /// On which side of it the page is.
    #[serde(default)]
    pub towards: Towards,
    /// Whether the row itself belongs to the page.
    #[serde(default)]
    pub included: bool,
}

/// On which side of a row a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Towards {
    /// The rows that follow.
    #[default]
    Next,
    /// The rows before it.
    Previous,
}

impl Edge {
    /// The page that follows a row.
    pub const fn after(place: PagePosition) -> Self {
        Self {
            place,
            towards: Towards::Next,
            included: false,
        }
    }

    /// The page that ends before a row.
    pub const fn before(place: PagePosition) -> Self {
        Self {
            place,
            towards: Towards::Previous,
            included: false,
        }
    }

    /// The page on the other side.
    pub(crate) fn other_side(&self) -> Self {
        Self {
            place: self.place.clone(),
            towards: match self.towards {
                Towards::Next => Towards::Previous,
                Towards::Previous => Towards::Next,
            },
            included: !self.included,
        }
    }

    /// The page that begins with the first row whose sort key is not before this value.
    pub fn seek(sort: SortValue, direction: Direction) -> Self {
        let id = match direction {
            Direction::Ascending => Uuid::nil(),
            Direction::Descending => Uuid::max(),
        };
        Self {
            place: PagePosition { sort, id },
            towards: Towards::Next,
            included: true,
        }
    }
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
