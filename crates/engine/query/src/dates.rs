//! Dates and moments as people give them: one form, within sane bounds, and days that begin and end in Norway.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Europe::Oslo;

/// Years that can be asked for, as commands take them.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// Why a value is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMoment {
    /// It has another form, or another year.
    Malformed,
    /// It has a space where a `+` must have been.
    LostPlus,
}

/// A date in just one form.
pub(crate) fn date(value: &str) -> Option<NaiveDate> {
    let digits_at = |index: usize, byte: u8| {
        if matches!(index, 4 | 7) {
            byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    };
    let one_form = value.len() == 10
        && value
            .bytes()
            .enumerate()
            .all(|(index, byte)| digits_at(index, byte));
    one_form
        .then(|| value.parse().ok())
        .flatten()
        .filter(|date: &NaiveDate| YEARS.contains(&date.year()))
}

/// A moment as RFC 3339 writes it.
pub(crate) fn moment(value: &str) -> Result<DateTime<Utc>, NoMoment> {
    let exact = |value: &str| DateTime::parse_from_rfc3339(value).ok();
    match exact(value) {
        Some(moment) if YEARS.contains(&moment.year()) => Ok(moment.to_utc()),
        None if exact(&value.replace(' ', "+")).is_some() => Err(NoMoment::LostPlus),
        _ => Err(NoMoment::Malformed),
    }
}

/// When a date begins in Norway, where midnight always exists.
pub(crate) fn midnight(date: NaiveDate) -> Option<DateTime<Utc>> {
    Oslo.from_local_datetime(&date.and_time(NaiveTime::MIN))
        .earliest()
        .map(|moment| moment.to_utc())
}

/// The day that begins in Norway at this moment, if one does.
pub fn day_that_begins(moment: DateTime<Utc>) -> Option<NaiveDate> {
    let day = moment.with_timezone(&Oslo).date_naive();
    (midnight(day) == Some(moment)).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_norway_and_at_no_other_moment() {
        let begins = |text: &str| day_that_begins(moment(text).unwrap()).map(|day| day.to_string());
        for (text, day) in [
            ("2026-06-04T22:00:00Z", Some("2026-06-05")),
            ("2026-06-05T00:00:00+02:00", Some("2026-06-05")),
            ("2026-12-04T23:00:00Z", Some("2026-12-05")),
            // Summer time begins and ends at night.
            ("2026-03-28T23:00:00Z", Some("2026-03-29")),
            ("2026-03-29T22:00:00Z", Some("2026-03-30")),
            ("2026-10-24T22:00:00Z", Some("2026-10-25")),
            ("2026-10-25T23:00:00Z", Some("2026-10-26")),
            ("2026-10-25T22:00:00Z", None),
            ("2026-06-04T22:00:00.000001Z", None),
            ("2026-06-05T00:00:00Z", None),
        ] {
            assert_eq!(begins(text).as_deref(), day, "{text}");
        }
    }

    #[test]
    fn dates_have_one_form_and_sane_years() {
        for value in [
            "2026-1-1",
            "2026-2-3",
            "20260101",
            "2026-02-30",
            "+2026-01-1",
            "2026-01-01 ",
            "-262143-01-01",
            "2026-01-01T00:00:00Z",
            "1899-12-31",
            "2101-01-01",
            "20266-01-01",
            "0000-01-01",
            "٢٠٢٦-01-01",
        ] {
            assert_eq!(date(value), None, "{value}");
        }
        for value in ["2026-02-28", "1900-01-01", "2100-12-31"] {
            assert!(date(value).is_some(), "{value}");
        }
    }

    #[test]
    fn a_plus_that_became_a_space_is_recognized() {
        for value in ["2026-01-01T00:00:00 01:00", "2026-01-01T00:00:00.5 01:00"] {
            assert_eq!(moment(value), Err(NoMoment::LostPlus), "{value}");
        }
        for value in [
            "2026-01-01T00:00:00",
            "2026-01-01T00:00 01:00",
            "20266-01-01T00:00:00Z",
            "+20266-01-01T00:00:00Z",
            "1899-12-31T23:59:59Z",
            "2101-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            " ",
        ] {
            assert_eq!(moment(value), Err(NoMoment::Malformed), "{value}");
        }
        assert!(moment("2026-01-01T00:00:00+01:00").is_ok());
    }
}
