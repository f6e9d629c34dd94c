//! Dates and moments in a command: one written form each, and years in which the shop could mean them.
//!
//! chrono alone also reads `1990-5-7`, `+01990-05-07` and a browser's year 20266.

use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::de::{Deserializer, Error, Unexpected, Visitor};

const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// Reads a date `YYYY-MM-DD` of the years 1900 to 2100.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    deserializer.deserialize_str(Strict {
        parse: parse_date,
        form: "a date",
    })
}

/// Reads a date, or nothing from `null`. With `#[serde(default)]` the field may be absent.
pub fn optional_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    deserializer.deserialize_option(OptionalDate)
}

/// Reads a moment as RFC 3339 has it, of the years 1900 to 2100.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    deserializer.deserialize_str(Strict {
        parse: parse_moment,
        form: "a moment",
    })
}

/// Reads a moment, or nothing from `null`. With `#[serde(default)]` the field may be absent.
pub fn optional_moment<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    deserializer.deserialize_option(Optional)
}

/// The moment that RFC 3339 text names, as precise as the log keeps time.
pub(super) fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // By way of microseconds a leap second becomes the second after it: the log has none.
    DateTime::from_timestamp_micros(moment.timestamp_micros()).filter(|moment| YEARS.contains(&moment.year()))
}

pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| {
            if matches!(at, 4 | 7) {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    let date: NaiveDate = shaped.then(|| text.parse().ok()).flatten()?;
    YEARS.contains(&date.year()).then_some(date)
}

struct Strict<T> {
    parse: fn(&str) -> Option<T>,
    form: &'static str,
}

impl<T> Visitor<'_> for Strict<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Other("text"), &self))
    }
}

struct Optional;

impl<'de> Visitor<'de> for Optional {
    type Value = Option<DateTime<Utc>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        moment(deserializer).map(Some)
    }
}

struct OptionalDate;

impl<'de> Visitor<'de> for OptionalDate {
    type Value = Option<NaiveDate>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        date(deserializer).map(Some)
    }
}
