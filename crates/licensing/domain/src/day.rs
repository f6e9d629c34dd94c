//! Days as Norway counts them.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Europe::Oslo;

/// The date in Norway at `now`.
pub fn today(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&Oslo).date_naive()
}

/// The time of day in Norway at `now`.
pub fn time_of_day(now: DateTime<Utc>) -> NaiveTime {
    now.with_timezone(&Oslo).time()
}

/// The `count` consecutive days that begin with `first`.
pub(crate) fn days(first: NaiveDate, count: u8) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take(count.into())
}

/// The last day of a span of `count` days that begins on `first`.
pub fn last_day(first: NaiveDate, count: u8) -> NaiveDate {
    days(first, count).last().unwrap_or(first)
}

/// Whole years of age on `day`; `None` before birth.
pub(crate) fn age(birth_date: NaiveDate, day: NaiveDate) -> Option<u32> {
    day.years_since(birth_date)
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeZone, Utc};

    use super::{age, today};

    fn date(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn the_day_turns_at_midnight_in_oslo() {
        // Summer: UTC+2. Winter: UTC+1.
        assert_eq!(
            today(Utc.with_ymd_and_hms(2026, 6, 4, 21, 59, 59).unwrap()),
            date(2026, 6, 4)
        );
        assert_eq!(
            today(Utc.with_ymd_and_hms(2026, 6, 4, 22, 0, 0).unwrap()),
            date(2026, 6, 5)
        );
        assert_eq!(
            today(Utc.with_ymd_and_hms(2026, 1, 4, 22, 30, 0).unwrap()),
            date(2026, 1, 4)
        );
    }

    #[test]
    fn one_is_older_on_the_birthday() {
        let birth = date(2008, 6, 5);
        assert_eq!(age(birth, date(2026, 6, 4)), Some(17));
        assert_eq!(age(birth, date(2026, 6, 5)), Some(18));
        assert_eq!(age(birth, date(2008, 6, 4)), None);
        // Born on 29 February: older on 1 March in a common year.
        assert_eq!(age(date(2008, 2, 29), date(2026, 2, 28)), Some(17));
        assert_eq!(age(date(2008, 2, 29), date(2026, 3, 1)), Some(18));
    }
}
