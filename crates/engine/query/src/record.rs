//! A row in an answer: the chosen columns, in their order, each in its JSON form.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::column::Column;
use crate::error::Error;

/// A row with the columns that were asked for. Serializes as an object in that order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// The value of a column, if it was asked for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(column, _)| *column == name)
            .map(|(_, value)| value)
    }

    /// Replaces the value of a column, if it was asked for.
    pub fn replace(&mut self, name: &str, value: impl FnOnce(Value) -> Value) {
        if let Some((_, old)) = self.0.iter_mut().find(|(column, _)| *column == name) {
            *old = value(old.take());
        }
    }

    /// Reads `columns` from `row`, where the first of them stands at `offset`.
    pub(crate) fn read(row: &Row, columns: &[&'static Column], offset: usize) -> Result<Self, Error> {
        let values = columns
            .iter()
            .enumerate()
            .map(|(i, column)| Ok((column.name, value(row, offset + i, column.name)?)));
        values.collect::<Result<_, Error>>().map(Self)
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The JSON form of a column: RFC 3339 in UTC for moments, `YYYY-MM-DD` for dates, integers as JSON numbers,
/// truth as JSON has it.
fn value(row: &Row, index: usize, column: &'static str) -> Result<Value, Error> {
    let found = row.columns()[index].type_();
    let value = match *found {
        Type::TEXT => row.try_get::<_, Option<String>>(index)?.map(Value::from),
        Type::UUID => row
            .try_get::<_, Option<Uuid>>(index)?
            .map(|id| id.to_string().into()),
        Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Value::from),
        Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(Value::from),
        Type::BOOL => row.try_get::<_, Option<bool>>(index)?.map(Value::from),
        Type::DATE => row
            .try_get::<_, Option<NaiveDate>>(index)?
            .map(|date| date.to_string().into()),
        Type::TIMESTAMPTZ => row
            .try_get::<_, Option<DateTime<Utc>>>(index)?
            .map(|moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()),
        Type::JSONB => row.try_get::<_, Option<Value>>(index)?,
        Type::TEXT_ARRAY => row.try_get::<_, Option<Vec<String>>>(index)?.map(Value::from),
        Type::UUID_ARRAY => row
            .try_get::<_, Option<Vec<Uuid>>>(index)?
            .map(|ids| ids.iter().map(Uuid::to_string).collect::<Vec<_>>().into()),
        _ => {
            return Err(Error::ColumnType {
                column,
                found: found.to_string(),
            });
        }
    };
    Ok(value.unwrap_or(Value::Null))
}
