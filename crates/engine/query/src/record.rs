//! A row in an answer: the chosen columns, in their order, each in its JSON form. Written once, straight from what the
//! database sent.

use std::error::Error as StdError;
use std::io::Write as _;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::column::Column;
use crate::error::Error;

/// A row with the columns that were asked for, as the text of a JSON object in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    json: Vec<u8>,
    /// Where the value of each column stands.
    places: Vec<(&'static str, Range<usize>)>,
}

impl Record {
    /// The whole object.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether a column was asked for.
    pub fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The value of a column, if it was asked for.
    pub fn get(&self, name: &str) -> Option<Value> {
        let text = &self.json[self.place(name)?];
        // It was written as JSON here.
        Some(serde_json::from_slice(text).unwrap_or_default())
    }

    /// Replaces the value of a column, if it was asked for.
    pub fn replace(&mut self, name: &str, value: impl FnOnce(Value) -> Value) {
        let (Some(place), Some(old)) = (self.place(name), self.get(name)) else {
            return;
        };
        let text = value(old).to_string();
        self.json.splice(place.clone(), text.bytes());
        let moved = |at: usize| at - place.len() + text.len();
        for (_, other) in &mut self.places {
            if other.start == place.start {
                other.end = moved(other.end);
            } else if other.start > place.start {
                *other = moved(other.start)..moved(other.end);
            }
        }
    }

    fn place(&self, name: &str) -> Option<Range<usize>> {
        let mut places = self.places.iter();
        let (_, place) = places.find(|(column, _)| *column == name)?;
        Some(place.clone())
    }

    /// Reads `columns` from `row`, where the first of them stands at `offset`.
    pub(crate) fn read(row: &Row, columns: &[&'static Column], offset: usize) -> Result<Self, Error> {
        let mut record = Self {
            json: Vec::with_capacity(64 * columns.len()),
            places: Vec::with_capacity(columns.len()),
        };
        for (index, column) in columns.iter().enumerate() {
            let before = if index == 0 { "{" } else { "," };
            record.json.extend_from_slice(before.as_bytes());
            json(&mut record.json, column.name);
            record.json.push(b':');
            let start = record.json.len();
            write(&mut record.json, row, offset + index, column.name)?;
            record.places.push((column.name, start..record.json.len()));
        }
        if columns.is_empty() {
            record.json.push(b'{');
        }
        record.json.push(b'}');
        Ok(record)
    }
}

/// Writes the JSON form of a column: RFC 3339 in UTC for moments, `YYYY-MM-DD` for dates, integers as JSON numbers, truth as JSON
/// has it, and JSON as the database wrote it.
fn write(out: &mut Vec<u8>, row: &Row, index: usize, column: &'static str) -> Result<(), Error> {
    let found = row.columns()[index].type_();
    match *found {
        Type::TEXT => json(out, &row.try_get::<_, Option<&str>>(index)?),
        Type::UUID => json(out, &row.try_get::<_, Option<Uuid>>(index)?),
        Type::INT8 => json(out, &row.try_get::<_, Option<i64>>(index)?),
        Type::INT4 => json(out, &row.try_get::<_, Option<i32>>(index)?),
        Type::BOOL => json(out, &row.try_get::<_, Option<bool>>(index)?),
        Type::TEXT_ARRAY => json(out, &row.try_get::<_, Option<Vec<&str>>>(index)?),
        Type::UUID_ARRAY => json(out, &row.try_get::<_, Option<Vec<Uuid>>>(index)?),
        Type::DATE => match row.try_get::<_, Option<NaiveDate>>(index)? {
            // Writing to a vector can't fail.
            Some(date) => drop(write!(out, "\"{date}\"")),
            None => json(out, &()),
        },
        Type::TIMESTAMPTZ => {
            let moment = row.try_get::<_, Option<DateTime<Utc>>>(index)?;
            json(
                out,
                &moment.map(|moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            );
        }
        Type::JSON | Type::JSONB => match row.try_get::<_, Option<JsonText<'_>>>(index)? {
            Some(JsonText(text)) => out.extend_from_slice(text),
            None => json(out, &()),
        },
        _ => {
            return Err(Error::ColumnType {
                column,
                found: found.to_string(),
            });
        }
    }
    Ok(())
}

fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // These values have a JSON form, and a vector takes all bytes.
    let _ = serde_json::to_writer(out, value);
}

/// JSON as the database wrote it.
struct JsonText<'a>(&'a [u8]);

impl<'a> FromSql<'a> for JsonText<'a> {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        if *of == Type::JSON {
            return Ok(Self(raw));
        }
        // Before the text of `jsonb` stands the version of its form.
        match raw {
            [1, text @ ..] => Ok(Self(text)),
            _ => Err("jsonb of another form".into()),
        }
    }

    fn accepts(of: &Type) -> bool {
        [Type::JSON, Type::JSONB].contains(of)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Record;

    #[test]
    fn a_value_of_another_length_takes_its_place() {
        let mut row = Record {
            json: br#"{"a":1,"b":null,"c":"x"}"#.to_vec(),
            places: vec![("a", 5..6), ("b", 11..15), ("c", 20..23)],
        };
        row.replace("b", |old| json!([old, "long enough"]));
        row.replace("none", |_| json!(1));
        assert_eq!(row.json(), br#"{"a":1,"b":[null,"long enough"],"c":"x"}"#);
        assert_eq!(row.get("c"), Some(json!("x")));
        row.replace("b", |_| json!(7));
        row.replace("a", |_| json!("seven"));
        assert_eq!(row.json(), br#"{"a":"seven","b":7,"c":"x"}"#);
        let values = ["a", "b", "c", "none"].map(|name| row.get(name));
        assert_eq!(
            values,
            [Some(json!("seven")), Some(json!(7)), Some(json!("x")), None]
        );
        assert!(row.has("a") && !row.has("none"));
    }
}
