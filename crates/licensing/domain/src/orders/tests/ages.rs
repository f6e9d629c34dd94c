//! Ages on the activity's day, and that day in Norway, against models without a calendar library.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, TimeZone as _, Utc, Weekday};
use proptest::prelude::*;

use super::{date, line, place};
use crate::{Refusal, RequestedGuardian, Rule};

/// Whole years, by comparing the days of the year as they are written.
fn years(born: NaiveDate, on: NaiveDate) -> i32 {
    let had_birthday = (on.month(), on.day()) >= (born.month(), born.day());
    on.year() - born.year() - i32::from(!had_birthday)
}

/// The moment at which clocks change: 01:00 UTC on the last Sunday of the month.
fn change(year: i32, month: u32) -> DateTime<Utc> {
    let last = (25..=31).rev().map(|day| date(year, month, day));
    let sunday = last
        .into_iter()
        .find(|day| day.weekday() == Weekday::Sun)
        .unwrap();
    sunday.and_hms_opt(1, 0, 0).unwrap().and_utc()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_day_in_norway_follows_summer_time(seconds in 0_i64..1_400_000_000) {
        // From 1996 on the rule is the same.
        let moment = Utc.with_ymd_and_hms(1996, 1, 1, 0, 0, 0).unwrap() + TimeDelta::seconds(seconds);
        let summer = moment >= change(moment.year(), 3) && moment < change(moment.year(), 10);
        let local = moment + TimeDelta::hours(if summer { 2 } else { 1 });
        prop_assert_eq!(crate::today(moment), local.date_naive());
    }

    /// Guardian and ages follow from the age on the activity's first day, also for those born on 29 February.
    #[test]
    fn ages_count_on_the_activity_day(
        leap_day in any::<bool>(),
        born in 0_u64..40_000,
        ahead in 0_u64..365,
        begin in 0_u64..10_000,
        min in proptest::option::of(0_u8..30),
        max in proptest::option::of(0_u8..80),
        guarded in any::<bool>(),
    ) {
        let today = date(2004, 1, 1) + Days::new(begin);
        let day = today + Days::new(ahead);
        let mut birth_date = today - Days::new(born);
        if leap_day {
            birth_date = date(birth_date.year() / 4 * 4, 3, 1) - Days::new(1);
            // The year 1900 had none, and no holder is born in the future.
            prop_assume!(birth_date.day() == 29 && birth_date <= today);
        }
        let mut line = line();
        line.asked.activity_date = day;
        line.asked.holder.birth_date = birth_date;
        line.asked.holder.guardian = guarded.then(|| RequestedGuardian {
            name: "Ola Nordmann".into(),
            phone: "900 00 001".into(),
            consent: true,
        });
        let offer = line.offer.as_mut().unwrap();
        (offer.min_age, offer.max_age) = (min, max);
        let mut order = place(vec![line]);
        order.now = today.and_hms_opt(10, 0, 0).unwrap().and_utc();
        let found = match order.check() {
            Err(Refusal::Invalid(fields)) => fields.into_iter().map(|field| field.rule).collect(),
            _ => Vec::new(),
        };
        let age = years(birth_date, day);
        prop_assert_eq!(found.contains(&Rule::Guardian), age < 18 && !guarded, "{} {}", birth_date, day);
        prop_assert_eq!(found.contains(&Rule::TooYoung), min.is_some_and(|min| age < i32::from(min)));
        prop_assert_eq!(found.contains(&Rule::TooOld), max.is_some_and(|max| age > i32::from(max)));
    }
}
