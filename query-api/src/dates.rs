//! Dates as people give them: one form, and days that begin and end in Norway.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Europe::Oslo;

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
    one_form.then(|| value.parse().ok()).flatten()
}

/// When a date begins in Norway, where midnight always exists.
pub(crate) fn midnight(date: NaiveDate) -> Option<DateTime<Utc>> {
    Oslo.from_local_datetime(&date.and_time(NaiveTime::MIN))
        .earliest()
        .map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_one_form() {
        for value in [
            "2026-1-1",
            "20260101",
            "2026-02-30",
            "+2026-01-1",
            "2026-01-01 ",
            "-262143-01-01",
            "2026-01-01T00:00:00Z",
        ] {
            assert_eq!(date(value), None, "{value}");
        }
        assert!(date("2026-02-28").is_some());
    }
}
