//! A filter: its name and type in a request, its condition in SQL, and the index that serves it, in one declaration.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;

use crate::conditions::{Bind, Conditions};
use crate::search::{Similar, similar, sought};
use crate::served::Served;

/// A filter that can be asked for.
#[derive(Debug)]
pub struct Filter {
    /// The parameter's name.
    pub name: &'static str,
    /// The parameter's type.
    pub kind: FilterKind,
    /// What it keeps, in a sentence.
    pub description: &'static str,
    /// How Postgres finds the rows.
    pub served: Served,
    /// A value as it stands in a request.
    pub example: Option<&'static str>,
    /// The filter that begins the range which this one ends.
    pub ends: Option<&'static str>,
    /// The sort that goes with it, ascending.
    pub sorted_by: Option<&'static str>,
    /// The sort in which its index has the rows that it keeps.
    pub along: Option<&'static str>,
    /// The orders, as `sort` names them, in which the rows that it keeps stand in few places, or all at the end.
    pub uneven: &'static [&'static str],
    /// Whether its moment takes the place of `now()` in computed columns.
    pub is_now: bool,
    /// What must hold when both ends of the range are given, with a `?` for each.
    between: Option<&'static str>,
    /// The condition; each `?` in it stands for the value.
    sql: &'static str,
}

/// The type of a filter's value.
#[derive(Clone, Copy)]
pub enum FilterKind {
    /// A day.
    Date,
    /// Whole numbers from zero.
    Amount,
    /// A moment, included. A date means its first moment in Norway.
    MomentFrom,
    /// A moment, excluded. A date means its last moment in Norway.
    MomentTo,
    /// What is searched for in a column made by [`searched`](crate::searched).
    Search,
    /// A text that must be equal.
    Text,
    /// An id.
    Uuid,
    /// One of a closed list of texts.
    Word(fn() -> Vec<&'static str>),
}

impl std::fmt::Debug for FilterKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.example())
    }
}

impl FilterKind {
    /// The numbers that an amount can be.
    pub(crate) const AMOUNTS: RangeInclusive<i64> = 0..=i64::MAX;

    /// A value as it stands in a request.
    pub fn example(&self) -> &'static str {
        match self {
            Self::Date => "2026-06-05",
            Self::Amount => "42000",
            Self::MomentFrom | Self::MomentTo => "2026-06-05T10:00:00Z",
            Self::Search => "kari",
            Self::Text => "text",
            Self::Uuid => "01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f",
            Self::Word(words) => words().first().copied().unwrap_or_default(),
        }
    }
}

impl Filter {
    const fn new(
        name: &'static str,
        kind: FilterKind,
        sql: &'static str,
        served: Served,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            description,
            served,
            example: None,
            ends: None,
            sorted_by: None,
            along: None,
            uneven: &[],
            is_now: false,
            between: None,
            sql,
        }
    }

    /// Keeps the rows that an id satisfies.
    pub const fn uuid(name: &'static str, sql: &'static str, served: Served, says: &'static str) -> Self {
        Self::new(name, FilterKind::Uuid, sql, served, says)
    }

    /// Keeps the rows that a text satisfies.
    pub const fn text(name: &'static str, sql: &'static str, served: Served, says: &'static str) -> Self {
        Self::new(name, FilterKind::Text, sql, served, says)
    }

    /// Keeps the rows that one of a closed list of texts satisfies.
    pub const fn word(
        name: &'static str,
        words: fn() -> Vec<&'static str>,
        sql: &'static str,
        served: Served,
        says: &'static str,
    ) -> Self {
        Self::new(name, FilterKind::Word(words), sql, served, says)
    }

    /// Keeps the rows that a day satisfies.
    pub const fn date(name: &'static str, sql: &'static str, served: Served, says: &'static str) -> Self {
        Self::new(name, FilterKind::Date, sql, served, says)
    }

    /// Keeps the rows from a moment on; the condition has a `>=`.
    pub const fn moment_from(
        name: &'static str,
        sql: &'static str,
        served: Served,
        says: &'static str,
    ) -> Self {
        Self::new(name, FilterKind::MomentFrom, sql, served, says)
    }

    /// Keeps the rows before a moment; the condition has a `<`.
    pub const fn moment_to(
        name: &'static str,
        sql: &'static str,
        served: Served,
        says: &'static str,
    ) -> Self {
        Self::new(name, FilterKind::MomentTo, sql, served, says)
    }

    /// Keeps the rows that a whole number from zero satisfies.
    pub const fn amount(name: &'static str, sql: &'static str, served: Served, says: &'static str) -> Self {
        Self::new(name, FilterKind::Amount, sql, served, says)
    }

    /// Keeps the rows that `q` finds in a column made by [`searched`](crate::searched).
    pub const fn search(column: &'static str, served: Served, says: &'static str) -> Self {
        Self::new("q", FilterKind::Search, column, served, says)
    }

    /// A value for the documentation that says more than that of its kind.
    #[must_use]
    pub const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// It ends the range that the filter of that name begins: a request with a range that ends before it begins is
    /// refused.
    #[must_use]
    pub const fn ends(mut self, begin: &'static str) -> Self {
        self.ends = Some(begin);
        self
    }

    /// The rows that it keeps come by this sort, ascending.
    #[must_use]
    pub const fn sorted_by(mut self, sort: &'static str) -> Self {
        self.sorted_by = Some(sort);
        self
    }

    /// Its index has the rows that it keeps in the order of this sort.
    #[must_use]
    pub const fn along(mut self, sort: &'static str) -> Self {
        self.along = Some(sort);
        self
    }

    /// The rows that it keeps stand in few places of these orders, or all at their end.
    #[must_use]
    pub const fn uneven(mut self, sorts: &'static [&'static str]) -> Self {
        self.uneven = sorts;
        self
    }

    /// Its moment takes the place of `now()` in computed columns: rows are shown as of then.
    #[must_use]
    pub const fn as_of(mut self) -> Self {
        self.is_now = true;
        self
    }

    /// A further condition when both ends of the range are given, with a `?` for the begin and one for the end.
    #[must_use]
    pub const fn between(mut self, sql: &'static str) -> Self {
        self.between = Some(sql);
        self
    }
}

/// A filter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterValue {
    /// A day.
    Date(NaiveDate),
    /// A whole number.
    Integer(i64),
    /// A moment, where what is kept begins or ends.
    Moment(DateTime<Utc>),
    /// A text, or one of a closed list.
    Text(String),
    /// An id.
    Uuid(Uuid),
}

impl FilterValue {
    fn bind(&self) -> Bind {
        match self {
            Self::Date(value) => Bind::Date(*value),
            Self::Integer(value) => Bind::Integer(*value),
            Self::Moment(value) => Bind::Timestamp(*value),
            Self::Text(value) => Bind::Text(value.clone()),
            Self::Uuid(value) => Bind::Uuid(*value),
        }
    }
}

/// The filters of one request with their values. It serializes as an object, which a cursor is bound to.
#[derive(Clone, Debug, Default)]
pub struct Selection(Vec<(&'static Filter, FilterValue)>);

impl Selection {
    pub(crate) fn push(&mut self, filter: &'static Filter, value: FilterValue) {
        self.0.push((filter, value));
    }

    /// The filters by name, each with its value.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &FilterValue)> {
        self.0.iter().map(|(filter, value)| (filter.name, value))
    }

    /// The filter among them that has a sort of its own.
    pub(crate) fn with_own_sort(&self) -> Option<&'static Filter> {
        let mut filters = self.0.iter().map(|(filter, _)| *filter);
        filters.find(|filter| filter.sorted_by.is_some())
    }

    /// Whether something is searched for.
    pub(crate) fn searches(&self) -> bool {
        let mut filters = self.0.iter().map(|(filter, _)| filter.kind);
        filters.any(|kind| matches!(kind, FilterKind::Search))
    }

    /// The moment that rows are asked for as of, if one is.
    pub fn now(&self) -> Option<DateTime<Utc>> {
        self.0.iter().find_map(|(filter, value)| match value {
            FilterValue::Moment(moment) if filter.is_now => Some(*moment),
            _ => None,
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&FilterValue> {
        self.0
            .iter()
            .find(|(filter, _)| filter.name == name)
            .map(|(_, value)| value)
    }

    /// The filters.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &'static Filter> + Clone {
        self.0.iter().map(|(filter, _)| *filter)
    }

    /// These conditions, and those of the filters.
    #[must_use]
    pub fn within(&self, conditions: Conditions) -> Conditions {
        self.within_as(conditions, |conditions, column, q| {
            conditions.and_search(column, &sought(q));
        })
    }

    /// As [`Self::within`], with words that are only similar to those of `q`; nothing if `q` has no word that could be.
    pub(crate) fn similar_within(&self, conditions: Conditions) -> Option<(Conditions, Similar)> {
        let (column, q) = self
            .0
            .iter()
            .find_map(|(filter, value)| match (filter.kind, value) {
                (FilterKind::Search, FilterValue::Text(q)) => Some((filter.sql, q)),
                _ => None,
            })?;
        let (words, others) = similar(q)?;
        let conditions = self.within_as(conditions, |conditions, column, _| {
            conditions.and_similar(column, &words);
            conditions.and_search(column, &others);
        });
        Some((conditions, Similar { column, words }))
    }

    fn within_as(
        &self,
        mut conditions: Conditions,
        search: impl Fn(&mut Conditions, &'static str, &str),
    ) -> Conditions {
        for (filter, value) in &self.0 {
            if let (FilterKind::Search, FilterValue::Text(q)) = (filter.kind, value) {
                search(&mut conditions, filter.sql, q);
                continue;
            }
            let places = filter.sql.matches('?').count();
            conditions.and(filter.sql, std::iter::repeat_n(value.bind(), places));
            let begin = filter.ends.and_then(|begin| self.get(begin));
            if let (Some(sql), Some(begin)) = (filter.between, begin) {
                conditions.and(sql, [begin.bind(), value.bind()]);
            }
        }
        conditions
    }
}

impl Serialize for Selection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (filter, value) in &self.0 {
            match value {
                FilterValue::Date(value) => map.serialize_entry(filter.name, value)?,
                FilterValue::Integer(value) => map.serialize_entry(filter.name, value)?,
                FilterValue::Moment(value) => map.serialize_entry(filter.name, value)?,
                FilterValue::Text(value) => map.serialize_entry(filter.name, value)?,
                FilterValue::Uuid(value) => map.serialize_entry(filter.name, value)?,
            }
        }
        map.end()
    }
}
