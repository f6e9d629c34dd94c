//! What a row must satisfy, built from constant SQL and bound values only.
//!
//! A filter that is not asked for leaves no trace in the statement: the planner sees only what is asked, and can choose
//! an index for it. `$1 is null or …` for a dozen filters would hide that from it. Text from outside cannot become SQL: a
//! fragment is `&'static str`, and a value is always a bind.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A bound value with its Postgres type.
#[derive(Clone, Debug)]
pub enum Bind {
    /// `date`
    Date(NaiveDate),
    /// `bigint`
    Integer(i64),
    /// `text`
    Text(String),
    /// `timestamptz`
    Timestamp(DateTime<Utc>),
    /// `uuid`
    Uuid(Uuid),
    /// `uuid[]`
    Uuids(Vec<Uuid>),
}

impl Bind {
    /// The pair that `query_typed` takes.
    pub fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Date(value) => (value, Type::DATE),
            Self::Integer(value) => (value, Type::INT8),
            Self::Text(value) => (value, Type::TEXT),
            Self::Timestamp(value) => (value, Type::TIMESTAMPTZ),
            Self::Uuid(value) => (value, Type::UUID),
            Self::Uuids(value) => (value, Type::UUID_ARRAY),
        }
    }
}

/// Conditions joined by `and`, with their binds.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    sql: String,
    binds: Vec<Bind>,
}

impl Conditions {
    /// Adds a condition; `?` stands for the binds in their order, so a fragment can't hold a `?` of its own.
    pub fn and(&mut self, fragment: &'static str, binds: impl IntoIterator<Item = Bind>) {
        self.sql
            .push_str(if self.sql.is_empty() { "(" } else { " and (" });
        self.push(fragment, binds);
        self.sql.push(')');
    }

    fn push(&mut self, fragment: &'static str, binds: impl IntoIterator<Item = Bind>) {
        let mut binds = binds.into_iter();
        for part in fragment.split_inclusive('?') {
            self.sql.push_str(part.trim_end_matches('?'));
            if part.ends_with('?') {
                let bind = binds.next();
                debug_assert!(bind.is_some(), "a ? without a bind in {fragment}");
                self.binds.extend(bind);
                // Writing to a String can't fail.
                let _ = write!(self.sql, "${}", self.binds.len());
            }
        }
        debug_assert!(binds.next().is_none(), "a bind without a ? in {fragment}");
    }

    /// Adds that the column of that name has this value.
    pub(crate) fn and_key(&mut self, column: &'static str, bind: Bind) {
        self.sql
            .push_str(if self.sql.is_empty() { "(" } else { " and (" });
        self.sql.push_str(column);
        self.push(" = ?)", [bind]);
    }

    /// Adds that the column of that name, made by [`searched`](crate::searched), holds what is sought: of each list one.
    pub(crate) fn and_search(&mut self, column: &'static str, sought: &[Vec<String>]) {
        for spellings in sought {
            let open = if self.sql.is_empty() { "(" } else { " and (" };
            for (index, spelling) in spellings.iter().enumerate() {
                self.sql.push_str(if index == 0 { open } else { " or " });
                self.sql.push_str(column);
                self.push(" like ?", [Bind::Text(contains(spelling))]);
            }
            self.sql.push(')');
        }
    }

    /// Adds that the column holds something similar to each of the words.
    pub(crate) fn and_similar(&mut self, column: &'static str, words: &[String]) {
        for word in words {
            self.sql
                .push_str(if self.sql.is_empty() { "(" } else { " and (" });
            self.sql.push_str(column);
            self.push(" %> ?)", [Bind::Text(word.clone())]);
        }
    }

    /// Whether every row satisfies them.
    pub(crate) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// Whether one of them holds for any of several values.
    pub(crate) fn has_several(&self) -> bool {
        self.binds.iter().any(|bind| matches!(bind, Bind::Uuids(_)))
    }

    /// The SQL after `where`, and the binds that it numbers from 1.
    pub fn into_parts(self) -> (String, Vec<Bind>) {
        (
            if self.sql.is_empty() {
                "true".to_owned()
            } else {
                self.sql
            },
            self.binds,
        )
    }
}

/// A `like` pattern for texts that hold `part` literally.
fn contains(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for character in part.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::sought;

    #[test]
    fn binds_are_numbered_in_order() {
        let mut conditions = Conditions::default();
        conditions.and("a = ?", [Bind::Integer(1)]);
        conditions.and("c between ? and ?", [Bind::Integer(2), Bind::Integer(3)]);
        let (sql, binds) = conditions.into_parts();
        assert_eq!(sql, "(a = $1) and (c between $2 and $3)");
        assert_eq!(binds.len(), 3);
    }

    #[test]
    fn no_condition_is_true() {
        assert_eq!(Conditions::default().into_parts().0, "true");
    }

    #[test]
    fn a_spelling_is_literal_and_one_of_each_word_must_hold() {
        let mut conditions = Conditions::default();
        conditions.and_search("name", &sought("  100%_ A\\b\u{a0}ek-1"));
        let (sql, binds) = conditions.into_parts();
        assert_eq!(
            sql,
            "(name like $1) and (name like $2) and (name like $3 or name like $4)"
        );
        let texts: Vec<_> = binds
            .into_iter()
            .map(|bind| match bind {
                Bind::Text(t) => t,
                _ => String::new(),
            })
            .collect();
        assert_eq!(texts, ["%100\\%\\_%", "%a\\\\b%", "%ek-1%", "%ek1%"]);
    }
}
