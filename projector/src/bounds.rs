//! The values that a row can hold and an answer can show. An event with another value is parked: in a row, the value would
//! fail every answer that reads the row, or the next rebuild.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use chrono_tz::Europe::Oslo;
use envelope::RecordedEvent;

use crate::misfit::Misfit;

/// From a year before every living person's birth to the last year that RFC 3339 and PostgreSQL write with four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;
/// The longest text that an index holds: at four bytes a character it is below the limit of 2,704 bytes.
const MAX_INDEXED_CHARS: usize = 500;
/// The most days of one activity; a constraint of `licenses` too.
const MAX_DAYS: u8 = 31;
/// The largest whole number that every reader of JSON can hold (RFC 8259, section 6).
const MAX_EXACT: i64 = (1 << 53) - 1;
/// Microseconds, the precision of the database. Without more digits, neither way to write a row rounds.
const SUBSECOND_DIGITS: u16 = 6;

pub(crate) fn day(day: NaiveDate, what: &'static str) -> Result<NaiveDate, Misfit> {
    if YEARS.contains(&day.year()) {
        Ok(day)
    } else {
        Err(Misfit::OutOfRange(what))
    }
}

/// The day in Norway on which an event was recorded.
pub(crate) fn day_in_norway(recorded_at: DateTime<Utc>) -> Result<NaiveDate, Misfit> {
    day(recorded_at.with_timezone(&Oslo).date_naive(), "recorded_at")
}

pub(crate) fn days(days: u8, what: &'static str) -> Result<u8, Misfit> {
    if (1..=MAX_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err(Misfit::OutOfRange(what))
    }
}

pub(crate) fn moment(moment: DateTime<Utc>, what: &'static str) -> Result<DateTime<Utc>, Misfit> {
    day(moment.date_naive(), what).map(|_| moment.trunc_subsecs(SUBSECOND_DIGITS))
}

pub(crate) fn amount(ore: i64, what: &'static str) -> Result<i64, Misfit> {
    if (-MAX_EXACT..=MAX_EXACT).contains(&ore) {
        Ok(ore)
    } else {
        Err(Misfit::OutOfRange(what))
    }
}

/// A moment that is not before the first year of [`YEARS`].
pub(crate) fn not_before(moment: DateTime<Utc>, what: &'static str) -> Result<DateTime<Utc>, Misfit> {
    if moment.year() >= *YEARS.start() {
        Ok(moment)
    } else {
        Err(Misfit::OutOfRange(what))
    }
}

/// A text in an index, or one that is shown by the thousand.
pub(crate) fn indexed(text: &str, what: &'static str) -> Result<(), Misfit> {
    if text.chars().nth(MAX_INDEXED_CHARS).is_none() {
        Ok(())
    } else {
        Err(Misfit::TooLong(what))
    }
}

/// No text of the event holds U+0000, which PostgreSQL refuses.
pub(crate) fn without_nul(recorded: &RecordedEvent) -> Result<(), Misfit> {
    let payload = recorded.payload.get();
    let is_escape = |at: usize| {
        let before = payload[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    };
    if payload.match_indices("\\u0000").any(|(at, _)| is_escape(at)) {
        Err(Misfit::Nul)
    } else {
        Ok(())
    }
}
